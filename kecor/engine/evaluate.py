"""Run a detector over a split and measure its detections."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine.model import BaseModel

from kecor.config import DataConfig
from kecor.datasets.base import Dataset
from kecor.datasets.samples import Samples
from kecor.engine import launch
from kecor.engine.infer import predict
from kecor.errors import DataError
from kecor.evaluation.base import Metric
from kecor.structures import Frame


def evaluate(
    detector: BaseModel,
    dataset: Dataset,
    metric: Metric,
    data: DataConfig,
    *,
    device: str,
    batch_size: int = 4,
    amp: str = "none",
    result_dir: Path | None = None,
    progress: str | None = "evaluate",
) -> dict[str, Any] | None:
    """The result of ``metric`` on all frames of ``dataset``, the same on every process; None without any label.

    The detector never sees a label: frames are read without them. Frames without labels are not measured.

    Args:
        result_dir: folder for result files in the data set's own format; None writes none.

    Raises:
        DataError: there is no frame, or a file of one is missing or faulty.
    """
    if len(dataset) == 0:
        raise DataError(f"split {dataset.split!r} of {dataset.root} has no frame to evaluate")

    def read(frame_id: str) -> Frame:
        return dataset.read(frame_id, labels=False)

    samples = Samples(read, dataset.ids, data, training=False)
    detections = predict(detector, samples, device=device, batch_size=batch_size, amp=amp, progress=progress)
    if result_dir is not None:
        launch.first_on_main(lambda: metric.write_results(dataset, detections, result_dir))
    labelled = {frame_id: found for frame_id, found in detections.items() if dataset.is_labelled(frame_id)}
    return launch.first_on_main(lambda: metric.evaluate(dataset, labelled)) if labelled else None
