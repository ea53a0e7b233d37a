"""Files that strangers send: every fault is one message that names file and place."""

import json

import pytest

from kecor.errors import DataError
from kecor.labelling import reading
from kecor.labelling.delivery import read_delivery
from kecor.labelling.xml_files import read_xml
from tests.labelling.cases import copied
from tests.shared import shared_data

GOOD = {
    "name": "Car",
    "centroid": {"x": 1.0, "y": 2.0, "z": 3.0},
    "dimensions": {"length": 4.0, "width": 2.0, "height": 1.5},
    "rotations": {"x": 0.0, "y": 0.0, "z": -1.0},
}


def delivery(folder, *objects, text=None, name="a.json"):
    """What a labelCloud delivery of one frame gives."""
    labels = folder / "labels"
    labels.mkdir(exist_ok=True)
    (labels / name).write_bytes(text if text is not None else json.dumps({"objects": objects}).encode())
    return read_delivery(folder, "labelcloud", options={"variant": "centroid_rel"})


def changed(**more):
    return {**GOOD, **more}


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (changed(centroid={"x": float("nan"), "y": 2, "z": 3}), "objects[1].centroid.x: expected a finite number"),
        (changed(centroid={"x": float("inf"), "y": 2, "z": 3}), "objects[1].centroid.x: expected a finite number"),
        (changed(centroid={"x": 10**400, "y": 2, "z": 3}), "objects[1].centroid.x: expected a finite number"),
        (changed(centroid={"x": 1e9, "y": 2, "z": 3}), "objects[1]: [1000000000.0"),
        (
            changed(centroid={"x": "1", "y": 2, "z": 3}),
            "objects[1].centroid.x: expected a finite number below 1e+12, found '1'",
        ),
        (
            changed(centroid={"x": True, "y": 2, "z": 3}),
            "objects[1].centroid.x: expected a finite number below 1e+12, found True",
        ),
        (changed(centroid={"y": 2, "z": 3}), "objects[1].centroid: has no key 'x' (its keys: y, z)"),
        (changed(centroid=[1, 2, 3]), "objects[1].centroid: expected an object {...}, found a list"),
        (changed(dimensions={"length": 4, "width": 0, "height": 1}), "objects[1]: sizes [4.0, 0.0, 1.0] are not all"),
        (changed(dimensions={"length": 4, "width": 1, "height": -1}), "objects[1]: sizes [4.0, 1.0, -1.0] are not all"),
        (changed(name=3), "objects[1].name: expected a text, found 3"),
        (changed(name=" "), "objects[1]: has no usable class name"),
        (changed(name="Car\n1 2 3"), "objects[1]: has no usable class name"),
        ("Car", "objects[1]: expected an object {...}, found 'Car'"),
    ],
)
def test_a_faulty_object_is_named(tmp_path, item, message):
    found = delivery(tmp_path, GOOD, item)
    assert not found.labels
    assert found.problems["a"].startswith(f"{tmp_path / 'labels' / 'a.json'}: {message}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "is no valid JSON"),
        (b'{"objects": ', "is no valid JSON"),
        (b"\xff\xfe\x00", "is no UTF-8 text"),
        (b"[" * 100_000, "is nested too deeply"),
        (b"[]", "expected an object {...}, found a list"),
        (b'{"objects": {}}', "expected a list [...], found a dict"),
        (b'{"objects": ' + b"9" * 5000 + b"}", "is no valid JSON"),
    ],
)
def test_a_faulty_file_does_not_hide_the_others(tmp_path, text, message):
    delivery(tmp_path, GOOD, name="good.json")
    found = delivery(tmp_path, text=text)
    assert len(found.labels["good"]) == 1
    assert message in found.problems["a"]
    assert str(tmp_path / "labels" / "a.json") in found.problems["a"]


def test_a_byte_order_mark_is_no_fault(tmp_path):
    text = b"\xef\xbb\xbf" + json.dumps({"objects": [GOOD]}).encode()
    assert len(delivery(tmp_path, text=text).labels["a"]) == 1
    (tmp_path / "labels" / "a.json").unlink()
    (tmp_path / "labels" / "b.txt").write_bytes(b"\xef\xbb\xbf1 2 3 4 5 6 0.5 Car\r\n\r\n")
    assert read_delivery(tmp_path, "openpcdet_custom").labels["b"].names.tolist() == ["Car"]


def test_a_file_that_is_too_large_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(reading, "MAX_BYTES", 2**20)
    found = delivery(tmp_path, text=b" " * (2**20 + 1))
    assert "label files hold at most 1; split it" in found.problems["a"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1 2 3 4 5 6 Car", "a.txt:2: 7 words"),
        ("1 2 3 4 5 6 x Car", "a.txt:2: could not convert"),
        ("1 2 3 4 5 nan 0 Car", "a.txt:2: 'nan' is no finite"),
        ("1 2 3 4 5 -6 0 Car", "a.txt:2: sizes"),
        ("1 2 3 4 5 6 1e300 Car", "a.txt:2: '1e300' is no finite"),
        ("1 2 3 4 5 6 1e9 Car", "a.txt:2: [1.0, 2.0"),
    ],
)
def test_a_faulty_line_is_named(tmp_path, line, message):
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "a.txt").write_text(f"1 2 3 4 5 6 0.5 Car\n{line}\n")
    assert message in read_delivery(tmp_path, "openpcdet_custom").problems["a"]


@pytest.mark.parametrize("name", ["../../evil", "/etc/passwd", "a/b/c", "", "..", "a\\b", "a\nb", ".hidden", "a/../b"])
def test_a_frame_may_not_leave_its_folder(tmp_path, name):
    folder = copied(shared_data("labelling", "datumaro"), tmp_path / "delivery")
    path = folder / "annotations" / "default.json"
    value = json.loads(path.read_text())
    value["items"][0]["id"] = name
    path.write_text(json.dumps(value))
    found = read_delivery(folder, "datumaro")
    assert sorted(found.labels) == ["000114", "000289"]
    assert "is no frame id" in found.problems[name]


def test_a_link_out_of_the_delivery_is_refused(tmp_path):
    (tmp_path / "secret.txt").write_text("key\n")
    (tmp_path / "d" / "labels").mkdir(parents=True)
    (tmp_path / "d" / "labels" / "a.txt").symlink_to(tmp_path / "secret.txt")
    with pytest.raises(DataError, match="link that leaves"):
        read_delivery(tmp_path / "d", "openpcdet_custom")


@pytest.mark.parametrize(
    "declaration",
    [
        '<!DOCTYPE a [<!ENTITY x "ha"><!ENTITY y "&x;&x;&x;&x;">]>',
        '<!DOCTYPE a SYSTEM "file:///etc/passwd">',
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE a PUBLIC "-//x" "http://example.com/x.dtd">',
        '<!DOCTYPE a [<!ENTITY % x "y">%x;]>',
    ],
)
def test_xml_with_entities_is_refused(tmp_path, declaration):
    path = tmp_path / "a.xml"
    path.write_text(f"<?xml version='1.0'?>{declaration}<a>&y;</a>")
    with pytest.raises(DataError, match=r"a\.xml: declares entities or an external document type"):
        read_xml(path)


@pytest.mark.parametrize("text", ["", "<a>", "<a></b>", "<a>&nope;</a>", "<?xml version='1.0' encoding='nope'?><a/>"])
def test_broken_xml_is_named(tmp_path, text):
    path = tmp_path / "a.xml"
    path.write_text(text)
    with pytest.raises(DataError, match="is no valid XML"):
        read_xml(path)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("<tx>9.46</tx>", "<tx>nan</tx>", "tracklet 0, pose 0"),
        ("<tx>9.46</tx>", "", "tracklet 0, pose 0: has no <tx>"),
        ("<tx>9.46</tx>", "<tx>far</tx>", "tracklet 0, pose 0: <tx>: could not convert"),
        ("<h>1.4</h>", "<h>0</h>", "tracklet 0, pose 0: sizes"),
        ("<objectType>Car</objectType>", "", "tracklet 0, pose 0: has no <objectType>"),
    ],
)
def test_a_faulty_tracklet_is_named(tmp_path, old, new, message):
    folder = copied(shared_data("labelling", "kitti_raw"), tmp_path / "delivery")
    path = folder / "tracklet_labels.xml"
    path.write_text(path.read_text().replace(old, new, 1))
    assert message in read_delivery(folder, "kitti_raw", options={"sizes": "zyx"}).problems["000003"]


@pytest.mark.parametrize(
    ("start", "names"),
    [("5", "0 a\n"), ("nan", "0 a\n"), ("0.5e3", "0 a\n"), ("0", "a\n"), ("0", ""), ("0", "9" * 5000 + " a")],
)
def test_frames_of_tracklets_must_be_listed(tmp_path, start, names):
    (tmp_path / "frame_list.txt").write_text(names)
    (tmp_path / "tracklet_labels.xml").write_text(
        f"<b><tracklets><item><first_frame>{start}</first_frame><poses><item/></poses></item></tracklets></b>"
    )
    with pytest.raises(DataError):
        read_delivery(tmp_path, "kitti_raw", options={"sizes": "zyx"})


@pytest.mark.parametrize(
    "name",
    ["labelcloud", "datumaro", "sly_pointcloud", "kitti_raw", "sustechpoints", "xtreme1", "segments_ai", "kitti"],
)
@pytest.mark.parametrize("there", [True, False])
def test_a_folder_that_is_no_delivery_is_named(tmp_path, name, there):
    folder = tmp_path if there else tmp_path / "gone"
    with pytest.raises(DataError, match=str(folder)):
        read_delivery(folder, name)
