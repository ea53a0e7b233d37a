"""Where formats mislead: angles, sizes, frames of reference, names, and what a missing file means."""

import json

import numpy as np
import pytest

from kecor.errors import ConfigError
from kecor.labelling.delivery import read_delivery
from tests.labelling.cases import copied, difference, edit_json, expected
from tests.shared import shared_data


@pytest.fixture
def sample(tmp_path):
    """A copy of a sample and its expected boxes."""

    def make(*parts):
        folder = shared_data("labelling", *parts)
        return copied(folder, tmp_path / "delivery"), expected(folder)

    return make


def centroid(yaw, **more):
    """A labelCloud object."""
    return {
        "name": "Car",
        "centroid": {"x": 1, "y": 2, "z": 3},
        "dimensions": {"length": 4, "width": 2, "height": 1.5},
        "rotations": {"x": 0, "y": 0, "z": yaw},
        **more,
    }


def labelcloud(folder, *objects):
    """A delivery of labelCloud JSON without a class list."""
    (folder / "labels").mkdir(parents=True)
    (folder / "labels" / "a.json").write_text(json.dumps({"objects": objects}))
    return folder


def test_headings_of_labelcloud_kitti_are_half_a_turn_from_kittis(sample):
    folder, truth = sample("labelcloud", "kitti")
    (folder / "labels" / "_classes.json").unlink()
    (folder / "labels").rename(folder / "label_2")
    as_kitti = read_delivery(folder, "kitti").labels
    for frame_id, (_, boxes) in truth.items():
        off = np.abs(as_kitti[frame_id].boxes[:, 6] - boxes[:, 6])
        np.testing.assert_allclose(off, np.pi, atol=1e-6)
        np.testing.assert_allclose(as_kitti[frame_id].boxes[:, :6], boxes[:, :6], atol=1e-6)


@pytest.mark.parametrize("variant", ["centroid_rel", "centroid_abs", "vertices"])
def test_json_variants_are_recognised_without_a_class_list(sample, variant):
    folder, truth = sample("labelcloud", variant)
    (folder / "labels" / "_classes.json").unlink()
    labels = read_delivery(folder, "labelcloud").labels
    assert all(difference(labels[name].boxes, boxes) < 1e-6 for name, (_, boxes) in truth.items())


@pytest.mark.parametrize("variant", ["kitti", "kitti_untransformed"])
def test_text_variants_must_be_named(sample, variant):
    folder, truth = sample("labelcloud", variant)
    (folder / "labels" / "_classes.json").unlink()
    with pytest.raises(ConfigError, match="--variant"):
        read_delivery(folder, "labelcloud")
    labels = read_delivery(folder, "labelcloud", options={"variant": variant}).labels
    assert all(difference(labels[name].boxes, boxes) < 1e-6 for name, (_, boxes) in truth.items())


def test_an_angle_that_may_be_degrees_or_radians_is_asked_for(tmp_path):
    folder = labelcloud(tmp_path, centroid(1.5))
    with pytest.raises(ConfigError, match="centroid_rel, centroid_abs"):
        read_delivery(folder, "labelcloud")
    for variant, heading in {"centroid_rel": 1.5, "centroid_abs": np.radians(1.5)}.items():
        labels = read_delivery(folder, "labelcloud", options={"variant": variant}).labels
        assert labels["a"].boxes[0, 6] == pytest.approx(heading, abs=1e-15)


def test_degrees_named_radians_are_refused(tmp_path):
    folder = labelcloud(tmp_path, centroid(270.0))
    problems = read_delivery(folder, "labelcloud", options={"variant": "centroid_rel"}).problems
    assert "pass --variant centroid_abs" in problems["a"]


def test_rotations_in_another_order_are_read_by_key_and_noted(tmp_path):
    folder = labelcloud(tmp_path, centroid(0, rotations={"z": -0.7, "x": 0, "y": 0}))
    delivery = read_delivery(folder, "labelcloud")
    assert delivery.labels["a"].boxes[0, 6] == -0.7
    assert "order x, y, z" in delivery.notes[0]


@pytest.mark.parametrize("variant", ["centroid_rel", "vertices"])
def test_tilt_is_noted(tmp_path, variant):
    if variant == "centroid_rel":
        item = centroid(-0.3, rotations={"x": 0.0, "y": -0.07, "z": -0.3})
    else:
        signs = [(-1, -1), (-1, 1), (1, 1), (1, -1)]
        corners = np.array([[2 * x, y, 0.75 * z] for z in (-1, 1) for x, y in signs])
        c, s, cz, sz = np.cos(-0.07), np.sin(-0.07), np.cos(-0.3), np.sin(-0.3)
        turn = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]]) @ np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
        item = {"name": "Car", "vertices": (corners @ turn.T).tolist()}
    delivery = read_delivery(labelcloud(tmp_path, item), "labelcloud")
    assert delivery.labels["a"].boxes[0, 6] == pytest.approx(-0.3, abs=1e-9)
    np.testing.assert_allclose(delivery.labels["a"].boxes[0, 3:6], [4, 2, 1.5], atol=1e-9)
    assert "pitch -0.070" in delivery.notes[0]


@pytest.mark.parametrize("order", [[4, 5, 6, 7, 0, 1, 2, 3], [1, 0, 3, 2, 5, 4, 7, 6], [0, 2, 1, 3, 4, 5, 6, 7]])
def test_corners_in_another_order_are_refused(tmp_path, order):
    corners = [[2 * x, y, z] for z in (-1, 1) for x, y in ((-1, -1), (-1, 1), (1, 1), (1, -1))]
    folder = labelcloud(tmp_path, {"name": "Car", "vertices": [corners[i] for i in order]})
    assert "labelCloud's order" in read_delivery(folder, "labelcloud").problems["a"]


@pytest.mark.parametrize(("yaw", "heading"), [(6.05, 6.05 - 2 * np.pi), (4.71, 4.71 - 2 * np.pi), (-7, 2 * np.pi - 7)])
def test_sustechpoints_yaw_is_wrapped(tmp_path, yaw, heading):
    (tmp_path / "s" / "label").mkdir(parents=True)
    xyz = {"x": 1, "y": 1, "z": 1}
    item = {"psr": {"position": xyz, "scale": xyz, "rotation": {"x": 0.06, "y": 0, "z": yaw}}, "obj_type": "Car"}
    (tmp_path / "s" / "label" / "1.json").write_text(json.dumps([{**item, "obj_id": ""}]))
    delivery = read_delivery(tmp_path, "sustechpoints")
    assert delivery.labels["1"].boxes[0, 6] == pytest.approx(heading, abs=1e-12)
    assert "roll 0.060" in delivery.notes[0]


def test_a_figure_finds_its_class_by_object_key(sample):
    folder, truth = sample("sly_pointcloud")
    path = folder / "ds0" / "ann" / "000289.pcd.json"
    edit_json(path, lambda value: value["objects"].reverse())
    assert read_delivery(folder, "sly_pointcloud").labels["000289"].names.tolist() == truth["000289"][0]
    edit_json(path, lambda value: value["figures"][1].update(objectKey="gone"))
    assert "figures[1]: objectKey 'gone'" in read_delivery(folder, "sly_pointcloud").problems["000289"]


def test_a_missing_key_id_map_does_no_harm(sample):
    folder, truth = sample("sly_pointcloud")
    (folder / "key_id_map.json").unlink()
    assert read_delivery(folder, "sly_pointcloud").labels.keys() == truth.keys()


def test_sizes_of_tracklets_are_never_guessed(sample):
    folder, _ = sample("kitti_raw")
    with pytest.raises(ConfigError, match=r"--sizes zyx.*4\.58 m long, 1\.69 m wide, 1\.4 m high(.|\n)*--sizes yxz"):
        read_delivery(folder, "kitti_raw")
    with pytest.raises(ConfigError, match="'lwh' is unknown"):
        read_delivery(folder, "kitti_raw", options={"sizes": "lwh"})


@pytest.mark.parametrize(
    ("sizes", "box"),
    [
        ("zyx", [1, 2, 3, 4.5, 1.7, 1.4]),
        ("yxz", [1, 2, 3, 1.7, 1.4, 4.5]),
        ("xyz", [1, 2, 3, 1.4, 1.7, 4.5]),
        ("kitti", [1, 2, 3.7, 4.5, 1.7, 1.4]),
    ],
)
def test_the_meanings_of_tracklet_sizes(tmp_path, sizes, box):
    pose = "<item><tx>1</tx><ty>2</ty><tz>3</tz><rx>0</rx><ry>0</ry><rz>4</rz><truncation>{}</truncation></item>"
    (tmp_path / "tracklet_labels.xml").write_text(
        "<boost_serialization><tracklets><item><objectType>Car</objectType><h>1.4</h><w>1.7</w><l>4.5</l>"
        f"<first_frame>7</first_frame><poses>{pose.format(0)}{pose.format(2)}{pose.format(99)}{pose.format(1)}</poses>"
        "</item></tracklets></boost_serialization>"
    )
    (tmp_path / "frame_list.txt").write_text("7 a\n8 b\n9 c\n10 d\n11 e\n")
    labels = read_delivery(tmp_path, "kitti_raw", options={"sizes": sizes}).labels
    assert {name: len(boxes) for name, boxes in labels.items()} == {"a": 1, "b": 0, "c": 0, "d": 1, "e": 0}
    np.testing.assert_allclose(labels["d"].boxes[0], [*box, 4 - 2 * np.pi], atol=1e-12)


def test_tracklets_without_a_box_need_no_meaning(tmp_path):
    (tmp_path / "tracklet_labels.xml").write_text("<boost_serialization><tracklets/></boost_serialization>")
    (tmp_path / "frame_list.txt").write_text("0 a\n")
    assert len(read_delivery(tmp_path, "kitti_raw").labels["a"]) == 0


def test_segments_ai_boxes_come_back_from_the_world(sample, tmp_path):
    folder, truth = sample("segments_ai")
    angle, position = 2.5, np.array([1000.0, -2000.0, 30.0])
    half = angle / 2
    pose = {
        "position": dict(zip("xyz", position)),
        "heading": {"qx": 0, "qy": 0, "qz": np.sin(half), "qw": np.cos(half)},
    }
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])

    def to_world(value):
        for item in value["annotations"]:
            item["position"] = dict(zip("xyz", turn @ list(item["position"].values()) + position))
            item["yaw"] += angle

    for path in folder.glob("*.label.json"):
        edit_json(path, to_world)
    far = read_delivery(folder, "segments_ai")
    assert "world coordinates" in far.notes[0]
    poses = tmp_path / "poses.json"
    poses.write_text(json.dumps(dict.fromkeys(truth, pose)))
    labels = read_delivery(folder, "segments_ai", options={"poses": str(poses)}).labels
    assert all(difference(labels[name].boxes, boxes) < 1e-9 for name, (_, boxes) in truth.items())
    poses.write_text(json.dumps({"000114": pose}))
    problems = read_delivery(folder, "segments_ai", options={"poses": str(poses)}).problems
    assert "has no key '000289'" in problems["000289"]


def test_segments_ai_rotation_is_that_of_scipy():
    from scipy.spatial.transform import Rotation

    from kecor.labelling.formats.segments_ai import rotation

    q = np.random.default_rng(0).normal(size=4)
    q /= np.linalg.norm(q)
    np.testing.assert_allclose(rotation(q), Rotation.from_quat(q).as_matrix(), atol=1e-12)


def test_segments_ai_needs_a_name_for_each_category(sample):
    folder, _ = sample("segments_ai")
    (folder / "categories.json").write_text('[{"id": 1, "name": "Car"}]')
    assert "category 2 is not in categories.json" in read_delivery(folder, "segments_ai").problems["000114"]


def test_datumaro_labels_are_numbers_of_the_categories(sample):
    folder, truth = sample("datumaro")
    path = folder / "annotations" / "default.json"
    edit_json(path, lambda value: value["items"][1]["annotations"][0].update(label_id=5))
    delivery = read_delivery(folder, "datumaro")
    assert "items[1].annotations[0]: label_id 5" in delivery.problems["000114"]
    assert delivery.labels.keys() == truth.keys() - {"000114"}


def test_xtreme1_repeats_objects_in_images(sample):
    folder, truth = sample("xtreme1")
    path = folder / "result" / "000114.json"

    def add_images(value):
        value[0]["objects"] += [{"type": kind, "contour": {"points": []}} for kind in ("2D_BOX", "2D_RECT")]

    edit_json(path, add_images)
    assert read_delivery(folder, "xtreme1").labels["000114"].names.tolist() == truth["000114"][0]


def test_xtreme1_sources_are_not_mixed(sample):
    folder, truth = sample("xtreme1")
    path = folder / "result" / "000114.json"
    edit_json(path, lambda value: [*value, {**value[0], "sourceName": "Model", "objects": value[0]["objects"][:3]}])
    assert "'Ground Truth', 'Model'" in read_delivery(folder, "xtreme1").problems["000114"]
    both = [read_delivery(folder, "xtreme1", options={"source": name}) for name in ("Ground Truth", "Model")]
    assert [len(delivery.labels["000114"]) for delivery in both] == [len(truth["000114"][0]), 3]
