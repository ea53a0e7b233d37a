"""A training in a process that kills itself: ``python -m tests.engine.killed NAME WORK_DIR read|write COUNT``.

It dies, as by ``kill -9``, when it reads its COUNT-th frame or is about to move its COUNT-th written file into place.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import kecor.files
from kecor.config import DataConfig, VoxelConfig
from kecor.datasets.samples import Samples
from kecor.engine.train import train
from tests.engine.fakes import FakeDetector, make_samples, read_frame, schedule, weights

SMALL = DataConfig(
    type="kitti",
    root="",
    classes=["Car"],
    point_cloud_range=[0.0, -8.0, -2.0, 16.0, 8.0, 2.0],
    voxels=VoxelConfig(size=[0.25, 0.25, 0.1]),
    augmentation=[{"type": "gt_sampling", "counts": {"Car": 3}, "min_points": 0}, {"type": "flip"}, {"type": "rotate"}],
)
SECOND = {
    "type": "second",
    "backbone_3d": {"in_channels": 4, "channels": [4, 4, 8, 8, 8], "out_channels": 8},
    "backbone_2d": {"layers": [1, 1], "strides": [1, 2], "filters": [8, 8], "up_strides": [1, 2], "up_filters": [8, 8]},
    "dense_head": {
        "anchors": [
            {"name": "Car", "size": [3.9, 1.6, 1.56], "bottom": -1.0, "rotations": [0, 1.57], "matched": 0.6}
            | {"unmatched": 0.45}
        ]
    },
}


def deadly(call, count: int):
    """``call``, but its ``count``-th call kills the process."""
    left = [count]

    def wrapped(*arguments):
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*arguments)

    return wrapped


def training(name: str, work_dir: Path, read=read_frame) -> dict:
    """Train the detector ``name`` (fake or second), or go on, and return its final weights."""
    if name == "fake":
        detector, samples, plan = FakeDetector(), make_samples(6, read=read), schedule(epochs=6)
    else:
        from kecor.detectors import build_detector  # takes a while

        samples = Samples(read, [f"{i:06d}" for i in range(3)], SMALL, training=True, seed=3)
        detector, plan = build_detector(SECOND, SMALL, seed=2), schedule(epochs=4, amp="bf16")
    samples.read = read  # every epoch reads every frame anew
    train(detector, samples, plan, work_dir, device="cpu", seed=1, progress=False)
    return weights(detector)


if __name__ == "__main__":
    name, folder, moment, count = sys.argv[1:]
    if moment == "write":
        kecor.files.os.fsync = deadly(os.fsync, int(count))
    training(name, Path(folder), deadly(read_frame, int(count)) if moment == "read" else read_frame)
