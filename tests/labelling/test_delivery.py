"""Which frames came back, under which names, and which classes they hold."""

from pathlib import Path

import pytest

from kecor.errors import ConfigError, DataError
from kecor.labelling.delivery import read_delivery
from kecor.labelling.formats import EXPORT_FORMATS, FORMATS


@pytest.fixture
def deliver(tmp_path):
    """Write label files of the custom layout and read them: name -> text."""

    def call(files, **more):
        for name, text in files.items():
            path = tmp_path / "labels" / f"{name}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return read_delivery(tmp_path, "openpcdet_custom", **more)

    return call


BOX = "1 2 3 4 2 1.5 0.5 {}\n"


def test_an_empty_file_is_no_missing_file(deliver):
    found = deliver({"a": "", "b": BOX.format("Car")}, ids=["b", "c", "a", "d"])
    assert {name: len(labels) for name, labels in found.labels.items()} == {"a": 0, "b": 1}
    assert (found.missing, found.unknown, found.problems) == (["c", "d"], [], {})


def test_frames_nobody_asked_for_are_named_and_left_out(deliver):
    found = deliver({"a": "", "stranger": BOX.format("Car")}, ids=["a"])
    assert (list(found.labels), found.unknown) == (["a"], ["stranger"])


@pytest.mark.parametrize("name", ["scene_1/000003", "scene_1__000003", "scene_1/000003.pcd", "scene_1__000003.bin"])
def test_names_that_tools_make_of_an_id(deliver, name):
    found = deliver({name: ""}, ids=["000003", "scene_1/000003", "scene_2/000003"])
    assert (list(found.labels), found.missing) == (["scene_1/000003"], ["000003", "scene_2/000003"])


@pytest.mark.parametrize("name", ["000003.pcd", "000003"])
@pytest.mark.parametrize("frame_id", ["000003.pcd", "000003"])
def test_the_ending_of_a_cloud_may_come_or_go(deliver, frame_id, name):
    assert list(deliver({name: ""}, ids=[frame_id]).labels) == [frame_id]


def test_without_ids_the_ending_of_a_cloud_is_dropped(deliver):
    assert sorted(deliver({"000003.pcd": "", "s/1699.25.bin": ""}).labels) == ["000003", "s/1699.25"]


def test_two_labels_for_one_frame(deliver):
    found = deliver({"000003": "", "000003.pcd": BOX.format("Car"), "a": ""})
    assert list(found.labels) == ["a"]
    assert "000003.txt" in found.problems["000003"]
    assert "000003.pcd.txt" in found.problems["000003"]


def test_the_ids_and_classes_of_an_export_are_known(deliver, tmp_path):
    (tmp_path / "ids.txt").write_text("scene_1/1\n2\n3\n")
    (tmp_path / "classes.txt").write_text("Car\n")
    found = deliver({"scene_1__1": BOX.format("Car"), "3": BOX.format("Truck")})
    assert (list(found.labels), found.missing) == (["scene_1/1"], ["2"])
    assert "class 'Truck' is not one of Car" in found.problems["3"]


@pytest.mark.parametrize("scenes", [["s"], ["s", "t"]])
def test_scenes_tell_frames_of_one_name_apart(tmp_path, scenes):
    for scene in scenes:
        (tmp_path / scene / "label").mkdir(parents=True)
        (tmp_path / scene / "label" / "1.json").write_text("[]")
    wanted = ["1"] if scenes == ["s"] else ["s/1", "t/1"]
    assert sorted(read_delivery(tmp_path, "sustechpoints").labels) == wanted
    by_id = read_delivery(tmp_path, "sustechpoints", ids=["s/1", "t/1"])
    assert sorted(by_id.labels) == [f"{scene}/1" for scene in scenes]


def test_an_unknown_class_is_named_with_the_nearest(deliver):
    found = deliver({"a": BOX.format("Car") + BOX.format("Pedestrain")}, classes=["Car", "Pedestrian"])
    assert not found.labels
    assert "a.txt: box 2: class 'Pedestrain' is not one of Car, Pedestrian" in found.problems["a"]
    assert "--rename Pedestrain=Pedestrian" in found.problems["a"]


def test_another_case_is_corrected_with_a_note(deliver):
    found = deliver({"a": BOX.format("car")}, classes=["Car"])
    assert found.labels["a"].names.tolist() == ["Car"]
    assert "class 'car' read as 'Car'" in found.notes[0]


def test_case_alone_does_not_decide_between_classes(deliver):
    found = deliver({"a": BOX.format("CAR")}, classes=["Car", "car"])
    assert "is not one of" in found.problems["a"]


def test_classes_are_renamed_without_a_note(deliver):
    found = deliver({"a": BOX.format("Auto") + BOX.format("Car")}, classes=["Car"], rename={"Auto": "Car"})
    assert found.labels["a"].names.tolist() == ["Car", "Car"]
    assert not found.notes


def test_wrong_arguments_are_named(deliver, tmp_path):
    with pytest.raises(ConfigError, match="'lablecloud' is unknown; use one of labelcloud"):
        read_delivery(tmp_path, "lablecloud")
    with pytest.raises(ConfigError, match="option sizes: format openpcdet_custom has none"):
        deliver({"a": ""}, options={"sizes": "zyx"})
    with pytest.raises(DataError, match="is no frame id"):
        deliver({"a": ""}, ids=["../a"])


def test_the_page_of_formats_names_each_and_says_which_are_handed_out():
    page = (Path(__file__).parents[2] / "docs" / "labelling_formats.md").read_text()
    rows = [[cell.strip() for cell in line.split("|")[2:5]] for line in page.splitlines() if line.startswith("| ")]
    named = {name.strip("`"): handed_out == "yes" for name, handed_out, read in rows if read == "yes"}
    assert named == {name: name in EXPORT_FORMATS for name in FORMATS}
