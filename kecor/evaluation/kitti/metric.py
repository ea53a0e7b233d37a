"""The metric ``kitti``: LiDAR-frame detections of a data set, measured as KITTI does."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from kecor.datasets.kitti.labels import KittiObjects, format_objects
from kecor.errors import DataError
from kecor.evaluation.base import Panel, Table
from kecor.evaluation.kitti.conversion import detections_to_objects
from kecor.evaluation.kitti.evaluate import evaluate_pairs
from kecor.evaluation.kitti.pairs import pair_frames
from kecor.evaluation.kitti.roles import count, on_image, remarks
from kecor.files import write_text
from kecor.frame_ids import inside_folder
from kecor.registry import METRICS
from kecor.structures import Detections

if TYPE_CHECKING:
    from kecor.datasets.kitti.dataset import KittiDataset


OVERLAPS = ("strict", "loose")
LEVELS = ("easy", "moderate", "hard")
VIEWS = {"3d": "3D", "bev": "BEV", "bbox": "2D", "aos": "AOS"}
GLOSSARY = (
    ("3D, BEV", "Boxes are compared in 3D, or in bird's-eye view (BEV), where height does not count."),
    ("2D, AOS", "Boxes are compared in the camera image (2D); AOS is the 2D value lowered by heading errors."),
    (
        "Strict, loose",
        "How much a detection must overlap an object to count. Strict is KITTI's rule (Car 0.7, others 0.5); "
        "loose asks 0.5 of cars and 0.25 of the others in 3D and BEV.",
    ),
    (
        "Easy, moderate, hard",
        "KITTI's difficulty levels, by the object's height in the image, its occlusion and its truncation. Each level "
        "includes the ones before it. AP without a level is moderate.",
    ),
    ("R40, R11", "AP averaged over 40 recall levels (KITTI's rule today), or over 11 (the rule before 2019)."),
)
"""Terms of KITTI's results."""


@METRICS.register_module("kitti")
class KittiMetric:
    """Average precision on the image, from above and in space, at the official overlaps and at loose ones.

    Args:
        min_score: detections with a lower score are left out.
    """

    quantities: ClassVar = {"3d": "3D", "bev": "BEV", "3d_loose": "3D loose", "bev_loose": "BEV loose"}
    main: ClassVar = "3d"
    panels: ClassVar = (
        Panel("Bird's-eye view AP", "bev", "strict", "bev_loose", "loose"),
        Panel("3D AP", "3d", "strict", "3d_loose", "loose"),
    )
    note: ClassVar = (
        "AP in percent, R40, moderate, in 3D and in bird's-eye view (BEV), at the official overlaps (Car 0.7, others "
        "0.5) and at loose ones (Car 0.5, others 0.25)."
    )
    glossary: ClassVar = GLOSSARY

    def __init__(self, min_score: float = 0.0) -> None:
        self.min_score = min_score

    def evaluate(self, dataset: KittiDataset, detections: Mapping[str, Detections]) -> dict[str, Any]:
        """Measure the frames named in ``detections``.

        Args:
            dataset: gives ``objects``, ``calibration`` and ``image_size`` of a frame, and ``classes``.
            detections: frame id -> its detections, none left out for being empty.

        Returns:
            ``strict`` and ``loose`` -> class -> ``bbox``, ``bev``, ``3d``, ``aos`` -> ``R11``, ``R40`` ->
            [easy, moderate, hard] in percent; None where no object of the class counts. ``counts`` -> class ->
            ``labels``, ``detections`` -> how many count at [easy, moderate, hard]. Where no label has a 2D box, all
            detections are measured, whether the camera sees them or not, and the 2D values are None.

        Raises:
            DataError: a label or calibration file is wrong, or a frame's detections are (not (K, 7), not finite).
        """
        gt = [dataset.objects(frame_id) for frame_id in detections]
        unseen = not on_image(*gt)
        found = [self._objects(dataset, frame_id, one, unseen) for frame_id, one in detections.items()]
        pairs = pair_frames(gt, found)
        for remark in remarks(pairs):
            warnings.warn(remark, stacklevel=2)
        measured = {overlaps: evaluate_pairs(pairs, dataset.classes, overlaps) for overlaps in OVERLAPS}
        return {**measured, "counts": count(pairs, dataset.classes)}

    def write_results(self, dataset: KittiDataset, detections: Mapping[str, Detections], folder: Path) -> None:
        """Write one KITTI result file a frame, ``<frame id>.txt``; an empty one where nothing was detected."""
        labelled = [dataset.objects(frame_id) for frame_id in detections if dataset.is_labelled(frame_id)]
        unseen = bool(labelled) and not on_image(*labelled)
        for frame_id, found in detections.items():
            rows = self._objects(dataset, frame_id, found, unseen)
            write_text(inside_folder(folder, f"{frame_id}.txt"), format_objects(rows, scored=True))

    def headline(self, result: dict[str, Any], classes: Sequence[str]) -> dict[str, float | None]:
        """See :class:`~kecor.evaluation.base.Metric`: moderate AP over 40 recall positions."""
        return {
            f"{name}_{view}{ending}": result[overlaps][name][view]["R40"][LEVELS.index("moderate")]
            for name in classes
            for overlaps, ending in (("strict", ""), ("loose", "_loose"))
            for view in ("3d", "bev")
        }

    def tables(self, result: dict[str, Any]) -> list[Table]:
        """See :class:`~kecor.evaluation.base.Metric`: AP of each class and view, by recall positions and difficulty."""
        header = ["class", "measure", *(f"{recall} {level}" for recall in ("R40", "R11") for level in LEVELS)]
        shown = [
            Table(
                f"AP at {overlaps} overlaps, percent",
                header,
                [
                    [name, title, *measured[view]["R40"], *measured[view]["R11"]]
                    for name, measured in result[overlaps].items()
                    for view, title in VIEWS.items()
                ],
            )
            for overlaps in OVERLAPS
        ]
        counts = [[name, kind, *n] for name, kinds in result.get("counts", {}).items() for kind, n in kinds.items()]
        if counts:
            shown.append(Table("Objects that count", ["class", "", *LEVELS], counts))
        return shown

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
