from __future__ import annotations

import numpy as np
import pytest
import torch
from mmengine.model import BaseModel

from kecor.config import DataConfig, VoxelConfig
from kecor.datasets.kitti.dataset import KittiDataset
from kecor.engine.evaluate import evaluate
from kecor.errors import DataError
from kecor.evaluation.kitti.metric import KittiMetric
from kecor.structures import Detections
from tests.shared import shared_data

CLASSES = ["Car", "Pedestrian", "Cyclist"]
DATA = DataConfig(
    type="kitti",
    root="",
    classes=CLASSES,
    point_cloud_range=[0.0, -40.0, -3.0, 70.4, 40.0, 1.0],
    voxels=VoxelConfig(size=[0.4, 0.4, 0.4]),
)


class Oracle(BaseModel):
    """Answers with the labels, which it knows from elsewhere: its batches must hold none."""

    def __init__(self, dataset: KittiDataset, missed: float = 0.0) -> None:
        super().__init__()
        self.dataset = dataset
        self.missed = missed
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, mode: str = "tensor", **batch) -> list[Detections]:
        assert not any(len(boxes) for boxes in batch["gt_boxes"])
        answers = []
        for frame_id in batch["frame_ids"]:
            frame = self.dataset.read(frame_id)
            kept = np.random.default_rng(int(frame_id)).random(len(frame.boxes)) >= self.missed
            labels = np.array([CLASSES.index(name) for name in frame.names], np.int64)
            answers.append(Detections(frame.boxes[kept], np.full(kept.sum(), 0.9), labels[kept]))
        return answers


@pytest.fixture(scope="module")
def dataset() -> KittiDataset:
    return KittiDataset(shared_data("kitti_mini"), "val", CLASSES)


def run(dataset, detector, **more):
    return evaluate(detector, dataset, KittiMetric(), DATA, device="cpu", progress=None, **more)


def test_a_perfect_detector_scores_nearly_full_marks_without_seeing_a_label(dataset, tmp_path):
    result = run(dataset, Oracle(dataset), result_dir=tmp_path)
    moderate, hard = result["strict"]["Car"]["3d"]["R40"][1:]
    assert min(moderate, hard) > 97  # few objects leave the official curve a little short of its end
    assert sorted(path.stem for path in tmp_path.glob("*.txt")) == sorted(dataset.ids)


def test_a_detector_that_misses_half_scores_less(dataset):
    result = run(dataset, Oracle(dataset, missed=0.5))
    assert 20 < result["strict"]["Car"]["3d"]["R40"][1] < 70


def test_a_split_without_frames(dataset):
    empty = KittiDataset(dataset.root, "val", CLASSES)
    empty.ids = []
    with pytest.raises(DataError, match=r"split 'val' of .* has no frame"):
        run(empty, Oracle(dataset))
