"""Each format against samples written by the tools or after their documentation."""

import numpy as np
import pytest

from kecor.labelling.delivery import read_delivery
from tests.labelling.cases import difference, expected
from tests.shared import shared_data

SAMPLES = [
    ("labelcloud/centroid_rel", {}, 1e-6),
    ("labelcloud/centroid_abs", {}, 1e-6),
    ("labelcloud/vertices", {}, 1e-6),
    ("labelcloud/kitti", {}, 1e-6),
    ("labelcloud/kitti_untransformed", {}, 1e-6),
    ("datumaro", {}, 0.006),
    ("sly_pointcloud", {}, 0.006),
    ("kitti_raw", {"sizes": "zyx"}, 0.006),
    ("kitti_raw_cvat_axes", {"sizes": "yxz"}, 0.006),
    ("sustechpoints", {}, 1e-6),
    ("xtreme1", {}, 1e-6),
    ("segments_ai", {}, 1e-6),
    ("openpcdet_custom", {}, 1e-4),
]


@pytest.mark.parametrize(("sample", "options", "tolerance"), SAMPLES, ids=[sample[0] for sample in SAMPLES])
def test_a_sample_gives_its_boxes(sample, options, tolerance):
    folder = shared_data("labelling", *sample.split("/"))
    name = sample.split("/")[0].removesuffix("_cvat_axes")
    delivery = read_delivery(folder, name, options=options)
    truth = expected(folder)
    assert delivery.labels.keys() == truth.keys()
    assert (delivery.problems, delivery.notes, delivery.missing, delivery.unknown) == ({}, [], [], [])
    for frame_id, (names, boxes) in truth.items():
        labels = delivery.labels[frame_id]
        assert labels.names.tolist() == names
        assert difference(labels.boxes, boxes) <= tolerance
        assert ((labels.boxes[:, 6] >= -np.pi) & (labels.boxes[:, 6] < np.pi)).all()


def test_kitti_labels_agree_with_the_data_set_reader():
    from kecor.datasets.kitti.dataset import KittiDataset

    root = shared_data("kitti_mini")
    delivery = read_delivery(root, "kitti")
    assert not delivery.problems
    assert delivery.labels
    for frame_id, labels in delivery.labels.items():
        dataset = KittiDataset(root, "trainval", sorted(set(labels.names.tolist())))
        if frame_id in dataset.ids:
            frame = dataset.read(frame_id)
            assert frame.names.tolist() == labels.names.tolist()
            assert difference(frame.boxes, labels.boxes) < 1e-5
