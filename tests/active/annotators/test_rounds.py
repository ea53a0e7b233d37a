"""Rounds with a scripted annotator: the labels and costs of a run are those that the annotator wrote."""

import json
import shutil

import numpy as np
import pytest

from kecor.active.annotators.stored_labels import StoredLabels
from kecor.datasets.custom.dataset import CustomDataset
from kecor.errors import ConfigError, DataError
from tests.active.annotators.people import CLASSES, Annotator, go, run_config, state_of, write_sweeps

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def sweeps(tmp_path_factory):
    root = tmp_path_factory.mktemp("sweeps")
    return root, write_sweeps(root)


def snapshot(root):
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in root.rglob("*") if path.is_file()}


def handed_out(work, name):
    return (work / name / "to_label" / "ids.txt").read_text().split()


def check_books(work, annotator, frames):
    """The run's labels, boxes, cost and pool are those of the annotator's books."""
    state = state_of(work)
    assert state["frames"] == frames
    assert state["boxes"] == [sum(len(annotator.written[i]) for i in ids) for ids in frames]
    for frame_id in [i for ids in frames for i in ids]:
        rows = [line.split() for line in (work / "labels" / f"{frame_id}.txt").read_text().splitlines()]
        expected = annotator.written[frame_id]
        assert [row[7] for row in rows] == [name for name, _ in expected]
        found = np.array([row[:7] for row in rows], float).reshape(-1, 7)
        turn = found - np.array([box for _, box in expected]).reshape(-1, 7)
        turn[:, 6] = (turn[:, 6] + np.pi) % (2 * np.pi) - np.pi
        assert np.abs(turn).max(initial=0) < 1e-6
    summary = (work / "summary.csv").read_text().splitlines()
    header, last = summary[0].split(","), summary[-1].split(",")
    n, boxes = sum(map(len, frames)), sum(state["boxes"])
    assert float(last[header.index("cost")]) == pytest.approx(n + 0.01 * boxes)


@pytest.mark.parametrize("format_name", ["labelcloud", "sly_pointcloud"])
def test_a_run_from_no_label_to_the_second_round(sweeps, tmp_path, format_name):
    root, truth = sweeps
    before, people, work, out = snapshot(root), Annotator(truth), tmp_path / "work", tmp_path / "back"
    folder = out if format_name == "sly_pointcloud" else None  # labelCloud works in the export itself
    config = run_config(root, format_name, folder)

    def back(name):
        return work / name / "to_label" if folder is None else folder / name

    said = go(config, work)
    assert "handed out 3 frames with 0 boxes" in said[-2]
    assert str(back("initial")) in said[-1]
    assert state_of(work)["stage"] == "waiting"
    assert not (work / "summary.csv").exists()
    first = handed_out(work, "initial")
    assert {i.split("/")[0] for i in first} == {"drive_000", "drive_001"}

    people.label(work / "initial" / "to_label", format_name, first[:1], back("initial"))  # a partial delivery
    said = go(config, work)
    assert f"2 of 3 frames have no labels in {back('initial')} yet: {first[1]}, {first[2]}; label them" in said[-1]
    assert state_of(work)["stage"] == "waiting"
    if folder is not None:  # a second delivery that holds only the rest
        shutil.rmtree(back("initial"))
    people.label(work / "initial" / "to_label", format_name, first[1:], back("initial"))
    said = go(config, work)
    assert state_of(work)["round"] == 0
    assert state_of(work)["stage"] == "waiting"
    check_books(work, people, [first])

    picks = handed_out(work, "round_00")
    assert picks == json.loads((work / "round_00" / "selection.json").read_text())["ids"]
    people.label(work / "round_00" / "to_label", format_name, picks, back("round_00"))
    people.save(format_name, first[0], truth[first[0]][:2], back("initial"))  # a correction of round 0
    said = go(config, work)
    assert any(f"corrected labels in {back('initial')}: {first[0]}" in line for line in said)
    assert any("labels bought for round 0 were corrected" in line for line in said)
    assert state_of(work)["stage"] == "done"
    check_books(work, people, [first, picks])

    total = json.loads((work / "round_00" / "annotators.json").read_text())["total"]
    assert total == {**people.totals(picks), "renamed": 0}
    assert total["kept"] > 0
    assert total["moved"] > 0
    assert total["deleted"] > 0
    selection = json.loads((work / "round_00" / "selection.json").read_text())
    assert selection["true_boxes"] == [len(people.written[i]) for i in picks]
    assert snapshot(root) == before  # the data set is never written to

    people.save(format_name, picks[0], [], back("round_00"))  # an empty frame is a label
    said = go(config, work)
    assert any("labels bought for round 1 were corrected" in line for line in said)
    check_books(work, people, [first, picks])
    assert not any("corrected" in line for line in go(config, work))


@pytest.fixture
def waiting(sweeps, tmp_path):
    """A run that waits for the picks of round 0: config, folder, annotator, picks."""
    root, truth = sweeps
    config, work, people = run_config(root, "labelcloud"), tmp_path / "work", Annotator(truth)
    go(config, work)
    export = work / "initial" / "to_label"
    people.label(export, "labelcloud", handed_out(work, "initial"), export)
    go(config, work)
    return config, work, people, handed_out(work, "round_00")


def test_a_frame_that_is_skipped_goes_back_into_the_pool_and_is_not_paid(waiting):
    config, work, people, picks = waiting
    export, first = work / "round_00" / "to_label", handed_out(work, "initial")
    drawn = work / "round_00" / "picks"
    assert {path.relative_to(drawn).with_suffix("").as_posix() for path in drawn.rglob("*.png")} == set(picks)
    assert (work / "report.html").read_text().count("true: not labelled yet") == len(picks)
    said = go(config, work, accept_missing=True)  # nothing has come back: there is nothing to accept
    assert f"{len(picks)} of {len(picks)} frames have no labels" in said[-1]
    people.label(export, "labelcloud", picks[1:], export)
    said = go(config, work, accept_missing=True)
    assert any(f"1 frames without labels are back in the pool: {picks[0]}" in line for line in said)
    check_books(work, people, [first, picks[1:]])
    selection = json.loads((work / "round_00" / "selection.json").read_text())
    assert selection["postponed"] == [picks[0]]
    assert selection["true_boxes"][0] is None
    assert selection["true_cost"] == pytest.approx(sum(1 + 0.01 * len(people.written[i]) for i in picks[1:]))
    assert json.loads((work / "round_00" / "annotators.json").read_text())["postponed"] == [picks[0]]
    config.active.rounds = 2
    go(config, work)
    assert picks[0] in state_of(work)["frames"][1] + handed_out(work, "round_01")  # it may be picked again
    people.label(export, "labelcloud", picks[:1], export)  # too late for round 0, which stays as it was bought
    go(config, work)
    assert state_of(work)["frames"][:2] == [first, picks[1:]]


def test_a_faulty_frame_is_named_and_the_others_are_kept(waiting):
    config, work, people, picks = waiting
    export = work / "round_00" / "to_label"
    people.label(export, "labelcloud", picks, export)
    good = people.written[picks[0]]
    people.save("labelcloud", picks[0], [("Carr", good[0][1])], export)
    for accept in (False, True):
        said = "\n".join(go(config, work, accept_missing=accept))
        assert "1 frames cannot be used" in said
        assert "class 'Carr' is not one of Car, Pedestrian; the nearest is 'Car'" in said
        assert state_of(work)["stage"] == "waiting"
    assert (work / "labels" / f"{picks[1]}.txt").exists()
    people.save("labelcloud", picks[0], good, export)
    go(config, work)
    check_books(work, people, [handed_out(work, "initial"), picks])


def test_labels_that_are_imported_into_the_runs_folder_count(waiting, command, tmp_path):
    config, work, people, picks = waiting
    people.label(work / "round_00" / "to_label", "labelcloud", picks, tmp_path / "sent")
    code, *_ = command(
        "label", "import", "labelcloud", tmp_path / "sent", "--ids", work / "round_00" / "to_label" / "ids.txt",
        "--out", work / "labels",
    )  # fmt: skip
    assert code == 0
    go(config, work)
    check_books(work, people, [handed_out(work, "initial"), picks])


def test_a_faulty_correction_changes_nothing(waiting):
    config, work, _, _ = waiting
    first, before = handed_out(work, "initial"), state_of(work)
    (work / "initial" / "to_label" / "labels" / f"{first[0].replace('/', '__')}.json").write_text("{")
    said = go(config, work)
    assert any("the labels stay as they were bought" in line for line in said)
    assert state_of(work) == before


def test_without_a_labelled_validation_split_nothing_is_measured(sweeps, tmp_path):
    root, truth = tmp_path / "sweeps", sweeps[1]
    shutil.copytree(sweeps[0], root)
    shutil.rmtree(root / "labels")
    for number, split in enumerate(["val", None]):
        config, work, people = run_config(root, "labelcloud"), tmp_path / f"work_{number}", Annotator(truth)
        config.data.val_split, config.active.rounds = split, 0
        said = go(config, work)
        assert any("the run goes on without average precision" in line for line in said)
        export = work / "initial" / "to_label"
        people.label(export, "labelcloud", handed_out(work, "initial"), export)
        go(config, work)
        assert state_of(work)["stage"] == "done"
        assert (work / "round_00" / "metrics.json").read_text() == "null\n"
        header, row = [line.split(",") for line in (work / "summary.csv").read_text().splitlines()]
        assert row[header.index("Car_3d")] == ""
        assert "nothing was measured" in (work / "report.html").read_text()
        assert (work / "curve.png").is_file()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: setattr(c.oracle, "format", "xtreme1"), "oracle.format: got 'xtreme1'; expected one of: labelcloud"),
        (lambda c: setattr(c.active, "initial", 9), "active.initial: got 9, .* 8 frames, 8 of them candidates"),
        (lambda c: setattr(c.data, "classes", ["Big car"]), "'Big car' holds a blank"),
    ],
)
def test_a_wrong_setting_is_found_at_once(sweeps, tmp_path, change, message):
    config = run_config(sweeps[0], "labelcloud")
    change(config)
    with pytest.raises(ConfigError, match=message):
        go(config, tmp_path)


def test_stored_labels_come_before_those_of_the_data_set(sweeps, tmp_path):
    dataset = CustomDataset(sweeps[0], "val", CLASSES)
    store, frame_id = StoredLabels(dataset, tmp_path), dataset.ids[0]
    np.testing.assert_array_equal(store.read(frame_id).boxes, dataset.read(frame_id).boxes)
    path = tmp_path / f"{frame_id}.txt"
    path.parent.mkdir()
    path.write_text("1 2 3 4 2 1.5 0.5 Car\n1 2 3 4 2 1.5 0.5 Tree\n")
    assert store.read(frame_id).boxes.tolist() == [[1, 2, 3, 4, 2, 1.5, 0.5]]
    assert store.read_labels(frame_id)[1].tolist() == ["Car"]
    assert store.read(frame_id, labels=False).boxes.shape == (0, 7)
    path.write_text("1 2 3\n")
    with pytest.raises(DataError, match="3 words"):
        store.read(frame_id)
