"""The metric ``waymo``: detections of a data set, measured as the Waymo Open Dataset does."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from kecor.datasets.base import Dataset
from kecor.errors import DataError
from kecor.evaluation.base import Panel, Table
from kecor.evaluation.waymo.counts import LEVELS
from kecor.evaluation.waymo.detection import TYPES, evaluate, summary
from kecor.evaluation.waymo.inputs import FEW_POINTS, GroundTruth, Predictions
from kecor.evaluation.waymo.objects import write_predictions
from kecor.registry import METRICS
from kecor.structures import Detections


@METRICS.register_module("waymo")
class WaymoMetric:
    """AP and APH in 3D at LEVEL_1 and LEVEL_2, by type and range.

    A data set may offer ``label_facts(frame_id)``, a dict with ``n_points`` and ``difficulty`` (M,) for the boxes of
    ``read_labels``. Without ``n_points`` every labelled box counts, and is of LEVEL_1 unless its difficulty says
    otherwise.
    """

    quantities: ClassVar = {"AP_L1": "AP L1", "APH_L1": "APH L1", "AP_L2": "AP L2", "APH_L2": "APH L2"}
    main: ClassVar = "APH_L2"
    panels: ClassVar = (Panel("AP", "AP_L1", "L1", "AP_L2", "L2"), Panel("APH", "APH_L1", "L1", "APH_L2", "L2"))
    glossary: ClassVar = (
        ("AP, APH", "Average precision, and the same with each true positive weighted by the accuracy of its heading."),
        ("L1, L2", "Waymo's levels: L1 counts objects with more than 5 points, L2 all objects with a point."),
    )
    note: ClassVar = (
        "Waymo 3D AP and APH in percent: IoU 0.7 for vehicles, 0.5 otherwise; L2 counts LEVEL_1 and LEVEL_2 objects. "
        "No-label zones are not taken into account."
    )

    def evaluate(self, dataset: Dataset, detections: Mapping[str, Detections]) -> dict[str, Any]:
        """Measure the frames named in ``detections``.

        Args:
            dataset: its labels are the ground truth.
            detections: frame id -> detections of the frame, none left out for being empty.

        Returns:
            ``breakdowns`` -> row, such as ``OBJECT_TYPE_TYPE_VEHICLE_LEVEL_1`` -> ``AP`` and ``APH`` in [0, 1].

        Raises:
            DataError: labels or detections of a frame are faulty, or a class is not one of Waymo's.
        """
        facts: Callable[[str], Mapping[str, Any]] = getattr(dataset, "label_facts", lambda frame_id: {})
        gt = []
        for number, frame_id in enumerate(detections):
            with _frame_named(frame_id):
                gt.append(_ground_truth(number, dataset, frame_id, facts(frame_id)))
        objects, predictions = GroundTruth(*_joined(gt)), _all_predictions(dataset, detections)
        if len(objects) and not (objects.num_points > 0).any():
            raise DataError(f"{dataset.root}: no labelled box holds a point; take labels that say how many each holds")
        return {"breakdowns": summary(evaluate(objects, predictions))}

    def write_results(self, dataset: Dataset, detections: Mapping[str, Detections], folder: Path) -> None:
        """Write ``detections.bin``, an ``Objects`` file as the leaderboard takes."""
        frames = [_stamp(dataset, frame_id) for frame_id in detections]
        write_predictions(folder / "detections.bin", _all_predictions(dataset, detections), frames)

    def headline(self, result: dict[str, Any], classes: Sequence[str]) -> dict[str, float | None]:
        """``CLASS_AP_L1``, ``CLASS_APH_L1``, ``CLASS_AP_L2`` and ``CLASS_APH_L2`` in percent."""
        numbers: dict[str, float | None] = {}
        for name in classes:
            for level in LEVELS:
                row = result["breakdowns"][f"OBJECT_TYPE_TYPE_{TYPES[waymo_type(name) - 1]}_LEVEL_{level}"]
                numbers |= {f"{name}_{quantity}_L{level}": 100 * row[quantity] for quantity in ("AP", "APH")}
        return numbers

    def tables(self, result: dict[str, Any]) -> list[Table]:
        """One table of all rows, in percent."""
        rows = [[name, 100 * row["AP"], 100 * row["APH"]] for name, row in result["breakdowns"].items()]
        return [Table("Waymo 3D detection", ["breakdown", "AP", "APH"], rows)]


def waymo_type(name: str) -> int:
    """Waymo's number of a class, from names such as ``Vehicle``, ``cyclist`` or ``TYPE_SIGN``.

    Raises:
        DataError: the class is not one of Waymo's.
    """
    plain = name.upper().removeprefix("TYPE_")
    if plain not in TYPES:
        raise DataError(f"class {name!r} is not one of Waymo's: {', '.join(TYPES)} (in any letter case)")
    return TYPES.index(plain) + 1


def _ground_truth(number: int, dataset: Dataset, frame_id: str, facts: Mapping[str, Any]) -> tuple[np.ndarray, ...]:
    """Fields of :class:`GroundTruth`: the boxes of the data set's classes."""
    boxes, names = dataset.read_labels(frame_id)
    n = len(boxes)
    n_points = np.asarray(facts.get("n_points", np.full(n, FEW_POINTS + 1)), np.int64)
    difficulty = np.asarray(facts.get("difficulty", np.zeros(n)), np.int64)
    for name, array in (("n_points", n_points), ("difficulty", difficulty)):
        if array.shape != (n,):
            raise DataError(f"{name} of shape {array.shape} for {n} labelled boxes")
    keep = np.isin(names, dataset.classes)
    types = np.array([waymo_type(str(name)) for name in np.asarray(names)[keep]], np.int64)
    boxes = np.asarray(boxes).reshape(-1, 7)[keep]
    return _checked(GroundTruth, np.full(len(boxes), number), boxes, types, difficulty[keep], n_points[keep])


def _all_predictions(dataset: Dataset, detections: Mapping[str, Detections]) -> Predictions:
    """The detections of all frames, numbered in their order."""
    types = np.array([waymo_type(name) for name in dataset.classes], np.int64)
    found = []
    for number, (frame_id, one) in enumerate(detections.items()):
        with _frame_named(frame_id):
            found.append(_predictions(number, one, types))
    return Predictions(*_joined(found))


@contextlib.contextmanager
def _frame_named(frame_id: str) -> Iterator[None]:
    """Put the frame in front of an error's message."""
    try:
        yield
    except DataError as error:
        raise DataError(f"frame {frame_id}: {error}") from error


def _predictions(number: int, found: Detections, types: np.ndarray) -> tuple[np.ndarray, ...]:
    """Fields of :class:`Predictions`."""
    n, labels = len(found), np.asarray(found.labels, np.int64)
    if labels.shape != (n,) or not ((labels >= 0) & (labels < len(types))).all():
        raise DataError(f"detections: labels must be {n} numbers from 0 to {len(types) - 1}")
    boxes = np.asarray(found.boxes) if n else np.zeros((0, 7))
    return _checked(Predictions, np.full(n, number), boxes, types[labels], np.asarray(found.scores), np.zeros(n, bool))


def _checked(kind: type[GroundTruth] | type[Predictions], *columns: np.ndarray) -> tuple[np.ndarray, ...]:
    return tuple(vars(kind(*columns)).values())


def _joined(frames: list[tuple[np.ndarray, ...]]) -> list[np.ndarray]:
    """The columns of all frames, one behind the other."""
    empty = [np.zeros(0, np.int64), np.zeros((0, 7)), *([np.zeros(0, np.int64)] * 3)]
    return [np.concatenate(column) for column in zip(*frames)] if frames else empty


def _stamp(dataset: Dataset, frame_id: str) -> tuple[str, int]:
    """Context name and time in microseconds; the frame id and 0 where the data set does not say."""
    context, seconds = dataset.sequence(frame_id), dataset.timestamp(frame_id)
    if context is None or seconds is None:
        return frame_id, 0
    return context, round(seconds * 1e6)
