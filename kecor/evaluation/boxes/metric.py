"""The metric ``boxes``: average precision in 3D and from above, by class and by range."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from kecor.datasets.base import Dataset
from kecor.errors import ConfigError
from kecor.evaluation.base import Panel, Table
from kecor.evaluation.boxes.bands import BANDS, counts, measure
from kecor.evaluation.boxes.frames import VIEWS, ClassFrames
from kecor.evaluation.boxes.results import checked, write_results
from kecor.registry import METRICS
from kecor.structures import Detections

LONG = 3.0
"""Metres: classes longer on average are held to the overlaps of cars, others to those of pedestrians."""
STRICT, LOOSE = {True: 0.7, False: 0.5}, {True: 0.5, False: 0.25}
"""Overlaps of long classes and of others, as KITTI's and as commonly used beside them."""


@METRICS.register_module("boxes")
class BoxesMetric:
    """Average precision of 3D boxes. It needs labelled boxes and nothing else: no camera, no difficulty.

    Detections are matched with the objects of their class, frame by frame, see
    :func:`~kecor.evaluation.boxes.matching.match`; AP is the mean over 40 recalls, see
    :func:`~kecor.evaluation.boxes.precision.average_precision`. For ranges see
    :func:`~kecor.evaluation.boxes.bands.measure`.

    Args:
        overlaps: class -> overlap that a match needs; by default 0.7 for classes longer than 3 m on average, else 0.5.
        loose_overlaps: likewise for the loose results; by default 0.5 and 0.25.
        min_score: detections with a lower score are left out.

    Raises:
        ConfigError: an overlap is not above 0 and at most 1.
    """

    quantities: ClassVar = {"3d": "3D", "bev": "BEV", "3d_loose": "3D loose", "bev_loose": "BEV loose"}
    main: ClassVar = "bev_loose"
    panels: ClassVar = (
        Panel("Bird's-eye view AP", "bev", "strict", "bev_loose", "loose"),
        Panel("3D AP", "3d", "strict", "3d_loose", "loose"),
    )
    glossary: ClassVar = (
        ("3D, BEV", "Boxes are compared in 3D, or in bird's-eye view (BEV), where height does not count."),
        (
            "Strict, loose",
            "The overlap a match needs: strict 0.7 above 3 m of length, else 0.5; loose 0.5, 0.25.",
        ),
    )
    note: ClassVar = (
        "AP in percent, mean over 40 recalls. 3D and BEV (from above) at overlap 0.7 for long objects such as cars "
        "and 0.5 for others; loose: 0.5 and 0.25."
    )

    def __init__(
        self,
        overlaps: dict[str, float] | None = None,
        loose_overlaps: dict[str, float] | None = None,
        min_score: float = 0.0,
    ) -> None:
        self.given = {"strict": overlaps or {}, "loose": loose_overlaps or {}}
        for key, values in zip(("overlaps", "loose_overlaps"), self.given.values()):
            for name, value in values.items():
                if not isinstance(value, (int, float)) or not 0 < value <= 1:
                    raise ConfigError(f"evaluation.{key}.{name}: {value!r} is not above 0 and at most 1")
        self.min_score = min_score

    def evaluate(self, dataset: Dataset, detections: Mapping[str, Detections]) -> dict[str, Any]:
        """Measure the frames named in ``detections``; those without labels are left out and counted.

        Args:
            dataset: gives ``read_labels``, ``is_labelled`` and ``classes``.
            detections: frame id -> its detections, empty where nothing was found.

        Returns:
            ``frames`` and ``frames_without_labels``: counts. ``strict`` and ``loose`` -> class -> ``overlap``, ``3d``
            and ``bev``, each band -> percent, and ``recall``: of objects found in 3D, band -> percent. ``objects`` ->
            class -> band -> number. None where there is no object.

        Raises:
            DataError: a label file is faulty, or a frame's detections are (not (K, 7), not finite).
        """
        kept = self._kept(dataset, detections)
        labelled = [frame_id for frame_id in kept if dataset.is_labelled(frame_id)]
        labels = [dataset.read_labels(frame_id) for frame_id in labelled]
        result: dict[str, Any] = {"frames": len(labelled), "frames_without_labels": len(kept) - len(labelled)}
        result |= {"strict": {}, "loose": {}, "objects": {}}
        for label, name in enumerate(dataset.classes):
            frames = ClassFrames.of_class(label, name, labels, [kept[frame_id] for frame_id in labelled])
            overlaps = {view: frames.overlaps(view) for view in VIEWS}
            result["objects"][name] = counts(frames)
            for kind, needed in self._needed(name, frames).items():
                result[kind][name] = {"overlap": needed, **measure(frames, overlaps, needed)}
        return result

    def write_results(self, dataset: Dataset, detections: Mapping[str, Detections], folder: Path) -> None:
        """Write one file a frame, ``ID.txt``: ``x y z dx dy dz heading class score``."""
        write_results(folder, self._kept(dataset, detections), dataset.classes)

    def _kept(self, dataset: Dataset, detections: Mapping[str, Detections]) -> dict[str, Detections]:
        n_classes = len(dataset.classes)
        return {key: checked(key, found, n_classes, self.min_score) for key, found in detections.items()}

    def headline(self, result: dict[str, Any], classes: Sequence[str]) -> dict[str, float | None]:
        """``CLASS_3d``, ``CLASS_bev``, ``CLASS_3d_loose`` and ``CLASS_bev_loose``, over all ranges."""
        return {
            f"{name}_{view}{ending}": result[kind][name][view]["all"]
            for name in classes
            for kind, ending in (("strict", ""), ("loose", "_loose"))
            for view in VIEWS
        }

    def tables(self, result: dict[str, Any]) -> list[Table]:
        """One table for each of the strict and the loose overlaps: a row a class, view and measure, a column a band."""
        return [
            Table(
                f"AP at {kind} overlaps",
                ["class", "overlap", "measure", *BANDS],
                [
                    [name, values["overlap"], measure, *values[key].values()]
                    for name, values in result[kind].items()
                    for measure, key in (("AP 3D", "3d"), ("AP BEV", "bev"), ("recall 3D", "recall"))
                ],
            )
            for kind in ("strict", "loose")
        ]

    def _needed(self, name: str, frames: ClassFrames) -> dict[str, float]:
        objects = np.concatenate([np.zeros((0, 7)), *frames.objects])
        is_long = bool(len(objects) and objects[:, 3].mean() > LONG)
        return {
            kind: float(self.given[kind].get(name, default[is_long]))
            for kind, default in (("strict", STRICT), ("loose", LOOSE))
        }
