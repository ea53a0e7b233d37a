"""The metric ``kitti``: LiDAR-frame detections of a data set, measured as KITTI does."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from kecor.datasets.kitti_labels import KittiObjects, format_objects
from kecor.errors import DataError
from kecor.evaluation.kitti import evaluate_pairs
from kecor.evaluation.kitti_convert import detections_to_objects
from kecor.evaluation.kitti_pairs import pair_frames
from kecor.evaluation.kitti_roles import count, on_image, remarks
from kecor.files import write_text
from kecor.frame_ids import inside_folder
from kecor.registry import METRICS
from kecor.structures import Detections

if TYPE_CHECKING:
    from kecor.datasets.kitti import KittiDataset


@METRICS.register_module("kitti")
class KittiMetric:
    """Average precision on the image, from above and in space, at the official overlaps and at loose ones.

    Args:
        min_score: detections with a lower score are left out.
    """

    def __init__(self, min_score: float = 0.0) -> None:
        self.min_score = min_score

    def evaluate(
        self, dataset: KittiDataset, detections: Mapping[str, Detections], result_dir: Path | None = None
    ) -> dict[str, Any]:
        """Measure the frames named in ``detections``.

        Args:
            dataset: gives ``objects``, ``calibration`` and ``image_size`` of a frame, and ``classes``.
            detections: frame id -> its detections, none left out for being empty.
            result_dir: folder for one KITTI result file a frame, ``<frame id>.txt``; an empty one where nothing
                was detected.

        Returns:
            ``strict`` and ``loose`` -> class -> ``bbox``, ``bev``, ``3d``, ``aos`` -> ``R11``, ``R40`` ->
            [easy, moderate, hard] in percent; None where no object of the class counts. ``counts`` -> class ->
            ``labels``, ``detections`` -> how many count at [easy, moderate, hard]. Where no label has a 2D box, all
            detections are measured, seen by the camera or not, and nothing is on the image.

        Raises:
            DataError: a label or calibration file is wrong, or a frame's detections are (not (K, 7), not finite).
        """
        gt = [dataset.objects(frame_id) for frame_id in detections]
        unseen = not on_image(*gt)
        objects = {frame_id: self._objects(dataset, frame_id, found, unseen) for frame_id, found in detections.items()}
        if result_dir is not None:
            for frame_id, rows in objects.items():
                write_text(inside_folder(result_dir, f"{frame_id}.txt"), format_objects(rows, scored=True))
        pairs = pair_frames(gt, list(objects.values()))
        for remark in remarks(pairs):
            warnings.warn(remark, stacklevel=2)
        measured = {overlaps: evaluate_pairs(pairs, dataset.classes, overlaps) for overlaps in ("strict", "loose")}
        return {**measured, "counts": count(pairs, dataset.classes)}

    def _objects(self, dataset: KittiDataset, frame_id: str, found: Detections, unseen: bool) -> KittiObjects:
        keep = ~(np.asarray(found.scores) < self.min_score)  # a score that is NaN stays, to be an error
        kept = replace(
            found,
            boxes=np.asarray(found.boxes)[keep],
            scores=np.asarray(found.scores)[keep],
            labels=np.asarray(found.labels)[keep],
        )
        try:
            return detections_to_objects(
                kept, dataset.classes, dataset.calibration(frame_id), dataset.image_size(frame_id), unseen
            )
        except ValueError as error:
            raise DataError(f"frame {frame_id}: {error}") from error
