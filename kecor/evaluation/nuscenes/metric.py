"""The metric ``nuscenes``: LiDAR-frame detections, written as a result file and measured by nuscenes-devkit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from kecor.datasets.nuscenes import NuscenesDataset
from kecor.errors import DataError
from kecor.evaluation.base import Panel, Table
from kecor.evaluation.nuscenes.submission import META, to_submission
from kecor.files import write_json
from kecor.registry import METRICS
from kecor.structures import Detections

RESULT_FILE = "results_nusc.json"
ERRORS = {"trans_err": "ATE", "scale_err": "ASE", "orient_err": "AOE", "vel_err": "AVE", "attr_err": "AAE"}


@METRICS.register_module("nuscenes")
class NuscenesMetric:
    """Average precision by centre distance, true-positive errors and the nuScenes detection score (NDS).

    Means are over all ten classes, as in the devkit: a class without ground truth or detections counts 0.
    """

    quantities: ClassVar = {"ap": "AP"}
    main: ClassVar = "ap"
    panels: ClassVar = (Panel("AP, mean over centre distances", "ap"),)
    glossary: ClassVar = (
        ("AP (nuScenes)", "Average precision with matches by centre distance: 0.5, 1, 2 and 4 m, averaged."),
        ("NDS", "nuScenes detection score: mean AP combined with errors of position, size, heading, speed, attribute."),
    )
    note: ClassVar = (
        "AP in percent, mean over the centre distances 0.5, 1, 2 and 4 m (nuScenes, detection_cvpr_2019). The mean AP "
        "is over all ten classes. NDS depends on predicted velocities and attributes too."
    )

    def evaluate(self, dataset: NuscenesDataset, detections: Mapping[str, Detections]) -> dict[str, Any]:
        """Measure the frames named in ``detections``.

        Args:
            dataset: its tables are the ground truth.
            detections: frame id -> detections of the frame, empty where nothing was found. Those without velocities
                count as standing still; attributes follow from class and speed.

        Returns:
            What :func:`kecor.evaluation.nuscenes.official.evaluate` returns.

        Raises:
            DataError: a frame is unknown or not labelled, or its detections are faulty.
        """
        return self.measure(dataset, self._results(dataset, detections))

    def write_results(self, dataset: NuscenesDataset, detections: Mapping[str, Detections], folder: Path) -> None:
        """Write ``results_nusc.json``, which the evaluation server takes when the frames are all of a split."""
        write_json(folder / RESULT_FILE, {"meta": META, "results": self._results(dataset, detections)})

    def _results(self, dataset: NuscenesDataset, detections: Mapping[str, Detections]) -> dict[str, Any]:
        return {frame_id: self._boxes(dataset, frame_id, found) for frame_id, found in detections.items()}

    def measure(self, dataset: NuscenesDataset, results: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
        """The same for the boxes of a result file: sample token -> boxes in the global frame.

        Raises:
            DataError: a sample is unknown or not labelled.
        """
        from kecor.evaluation.nuscenes.official import evaluate

        for token in results:
            if not dataset.is_labelled(token):
                raise DataError(f"{dataset.root}: sample {token} is not labelled: there is nothing to measure it with")
        return evaluate(dataset.tables, results)

    def headline(self, result: dict[str, Any], classes: Sequence[str]) -> dict[str, float | None]:
        """``CLASS_ap`` in percent, None for a class without ground truth; and ``nds``, of all classes together."""
        counted = result["n_ground_truth"]
        aps = {f"{c}_ap": 100 * result["mean_dist_aps"][c] if counted[c] else None for c in classes}
        return {**aps, "nds": 100 * result["nd_score"]}

    def tables(self, result: dict[str, Any]) -> list[Table]:
        """AP of each class, mean and by distance, with its errors; and the means."""
        distances = result["cfg"]["dist_ths"]
        rows: list[list[Any]] = []
        for name, by_distance in result["label_aps"].items():
            aps = [result["mean_dist_aps"][name], *(by_distance[str(d)] for d in distances)]
            errors = [result["label_tp_errors"][name][error] for error in ERRORS]
            percent = [100 * ap if result["n_ground_truth"][name] else None for ap in aps]
            rows.append([name, result["n_ground_truth"][name], *percent, *errors])
        header = ["class", "boxes", "AP", *(f"AP {d:g} m" for d in distances), *ERRORS.values()]
        means = [100 * result["nd_score"], 100 * result["mean_ap"], *(result["tp_errors"][e] for e in ERRORS)]
        overall = Table("Means", ["NDS", "mAP", *(f"m{short}" for short in ERRORS.values())], [means])
        return [Table("Average precision (percent) and errors of true positives", header, rows), overall]

    @staticmethod
    def _boxes(dataset: NuscenesDataset, frame_id: str, found: Detections) -> list[dict[str, Any]]:
        pose = dataset.lidar_to_global(frame_id)
        try:
            return to_submission(frame_id, found, dataset.classes, pose)
        except (ValueError, IndexError, TypeError) as error:
            raise DataError(f"sample {frame_id}: {error}") from error
