"""What is handed out comes back as it was, to the digits that the format keeps."""

import json

import numpy as np
import pytest

from kecor.labelling.delivery import read_delivery
from kecor.labelling.export import export_frames
from tests.labelling.cases import CLASSES, difference, frames, world

WRITTEN = [
    ("labelcloud", {}, 6e-9),
    ("labelcloud", {"variant": "kitti_untransformed"}, 6e-9),
    ("sly_pointcloud", {}, 0),
    ("datumaro", {}, 0),
    ("openpcdet_custom", {}, 6e-9),
]


@pytest.mark.parametrize(("name", "options", "precision"), WRITTEN)
def test_prelabels_come_back_as_they_were(tmp_path, name, options, precision):
    before = world()
    export_frames(tmp_path / "out", name, frames(before), before, CLASSES, options)
    delivery = read_delivery(tmp_path / "out", name, classes=CLASSES)
    assert (delivery.problems, delivery.notes, delivery.unknown) == ({}, [], [])
    for frame_id, labels in delivery.labels.items():
        assert labels.names.tolist() == before[frame_id].names.tolist()
        assert difference(labels.boxes, before[frame_id].boxes) <= precision
    bare = ["scene_2/000003"]
    done = name in ("datumaro", "sly_pointcloud")  # these tools write every frame
    assert delivery.missing == ([] if done else bare)
    assert set(delivery.labels) == set(before) - set(delivery.missing)


def test_float32_prelabels_keep_their_value(tmp_path):
    before = world()
    for labels in before.values():
        labels.boxes = labels.boxes.astype(np.float32).astype(np.float64)
    export_frames(tmp_path / "out", "sly_pointcloud", frames(before), before, CLASSES)
    after = read_delivery(tmp_path / "out", "sly_pointcloud").labels
    assert all(difference(after[name].boxes, before[name].boxes) < 1e-12 for name in before)


def test_rotations_are_written_in_the_order_labelcloud_reads_them_in(tmp_path):
    before = world()
    export_frames(tmp_path / "out", "labelcloud", frames(before), before, CLASSES)
    first = json.loads((tmp_path / "out/labels/000003.json").read_text())["objects"][0]
    assert list(first["rotations"].values()) == [0, 0, 3.1]
    classes = json.loads((tmp_path / "out/labels/_classes.json").read_text())
    assert [item["name"] for item in classes["classes"]] == CLASSES
    assert classes["format"] == "centroid_rel"


def test_supervisely_gets_a_key_id_map_with_every_key(tmp_path):
    before = world()
    export_frames(tmp_path / "out", "sly_pointcloud", frames(before), before, CLASSES)
    keys = json.loads((tmp_path / "out/key_id_map.json").read_text())
    for number, name in enumerate(before):
        path = tmp_path / "out/ds0/ann" / f"{name.replace('/', '__')}.pcd.json"
        annotation = json.loads(path.read_text())
        assert keys["videos"][annotation["key"]] == number
        assert {figure["key"] for figure in annotation["figures"]} <= set(keys["figures"])
        assert {figure["objectKey"] for figure in annotation["figures"]} <= set(keys["objects"])
    assert sorted(keys["objects"].values()) == sorted(keys["figures"].values()) == [1, 2, 3, 4]
