"""Measure a detector on a labelled split and show the result."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine.model import BaseModel

from kecor.config import DataConfig
from kecor.datasets import KittiDataset
from kecor.datasets.samples import Samples
from kecor.engine import launch
from kecor.engine.infer import predict
from kecor.errors import DataError
from kecor.evaluation import KittiMetric
from kecor.evaluation.kitti import min_overlap
from kecor.structures import Frame
from kecor.tables import format_table


def evaluate(
    detector: BaseModel,
    dataset: KittiDataset,
    metric: KittiMetric,
    data: DataConfig,
    *,
    device: str,
    batch_size: int = 4,
    amp: str = "none",
    result_dir: Path | None = None,
    progress: str | None = "evaluate",
) -> dict[str, Any]:
    """What ``metric`` says of the detections in all frames of ``dataset``; the same on every process.

    The detector never sees a label: frames are read without them.

    Args:
        result_dir: folder for the detections as one KITTI result file a frame; None writes none.

    Raises:
        DataError: there is no frame, or a file of one is missing or faulty.
    """
    if len(dataset) == 0:
        raise DataError(f"split {dataset.split!r} of {dataset.root} has no frame to evaluate")

    def read(frame_id: str) -> Frame:
        return dataset.read(frame_id, labels=False)

    samples = Samples(read, dataset.ids, data, training=False)
    detections = predict(detector, samples, device=device, batch_size=batch_size, amp=amp, progress=progress)
    return launch.first_on_main(lambda: metric.evaluate(dataset, detections, result_dir))


def result_table(result: dict[str, Any]) -> str:
    """A KITTI result as text: average precision (R40, percent) of each class, in space and from above."""
    rows = [
        [name, measure, f"{min_overlap(name, measure, overlaps):.2f}", *result[overlaps][name][measure]["R40"]]
        for overlaps in ("strict", "loose")
        for name in result[overlaps]
        for measure in ("3d", "bev")
    ]
    return format_table(["class", "AP R40", "overlap", "easy", "moderate", "hard"], rows)
