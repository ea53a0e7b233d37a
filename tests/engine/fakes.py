"""A tiny detector over real samples of made-up frames, for tests of what surrounds a detector."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from mmengine.model import BaseModel

from kecor.config import DataConfig, ScheduleConfig, VoxelConfig
from kecor.datasets.samples import Samples
from kecor.structures import Detections, Frame, FrameOutputs

DATA = DataConfig(
    type="kitti",
    root="",
    classes=["Car"],
    point_cloud_range=[0.0, -8.0, -2.0, 16.0, 8.0, 2.0],
    voxels=VoxelConfig(size=[1.0, 1.0, 1.0]),
    augmentation=[{"type": "flip"}],
)


def read_frame(frame_id: str) -> Frame:
    """Forty points and one box, a function of the id."""
    rng = np.random.default_rng(int(frame_id))
    points = rng.uniform([0, -8, -2, 0], [16, 8, 2, 1], (40, 4)).astype(np.float32)
    box = [[rng.uniform(2, 14), rng.uniform(-6, 6), 0, 4, 2, 1.5, rng.uniform(-3, 3)]]
    return Frame(frame_id, points, np.array(box, np.float32), np.array(["Car"]))


def make_samples(n: int, training: bool = True, workers: int = 0, read=read_frame) -> Samples:
    data = DataConfig(**{**vars(DATA), "workers": workers})
    return Samples(read, [f"{i:06d}" for i in range(n)], data, training=training, seed=3)


class FakeDetector(BaseModel):
    """Regresses the mean box of a frame from its points; has batch norm and dropout, as real ones do.

    Without ``noise`` it has neither, and a batch's loss is the mean over its frames.
    """

    def __init__(self, seed: int = 0, noise: bool = True) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            norm = torch.nn.BatchNorm1d(16) if noise else torch.nn.Identity()
            self.point = torch.nn.Sequential(torch.nn.Linear(4, 16), norm, torch.nn.ReLU())
            self.box = torch.nn.Sequential(torch.nn.Dropout(0.3 if noise else 0.0), torch.nn.Linear(16, 7))

    def forward(self, mode: str = "tensor", **batch):
        owner = batch["points"][:, 0].long()
        features = self.point(batch["points"][:, 1:5]).float()
        pooled = torch.stack([features[owner == b].mean(0) for b in range(batch["batch_size"])])
        boxes = self.box(pooled)
        if mode == "tensor":
            return boxes
        if mode == "loss":
            targets = torch.stack([b.mean(0) for b in batch["gt_boxes"]]).to(boxes)
            error = (boxes.float() - targets).abs()
            return {"loss_centre": error[:, :3].mean(), "loss_size": error[:, 3:].mean(), "error": error.detach().max()}
        return [Detections(b[None].detach().float().cpu().numpy(), np.ones(1), np.zeros(1, np.int64)) for b in boxes]

    def describe(self, batch: dict, n_rois: int) -> list[FrameOutputs]:
        outputs = []
        for found in self(mode="predict", **batch):
            features = np.repeat(found.boxes, n_rois, 0)
            rois = FrameOutputs(
                found, features, features, np.ones(n_rois), np.zeros(n_rois, int), features, found.boxes[0]
            )
            outputs.append(rois)
        return outputs


def schedule(**changes) -> ScheduleConfig:
    return ScheduleConfig(**{"epochs": 4, "batch_size": 2, "lr": 0.01, **changes})


def weights(detector: torch.nn.Module) -> dict[str, torch.Tensor]:
    return {name: tensor.clone() for name, tensor in detector.state_dict().items()}


def same_weights(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def scalars(folder: Path) -> dict[str, list[float]]:
    """TensorBoard's scalars by name, in the order they were written."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return {name: [event.value for event in events.Scalars(name)] for name in events.Tags()["scalars"]}
