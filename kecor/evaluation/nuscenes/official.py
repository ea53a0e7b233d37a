"""The devkit's evaluation of some samples: matching, average precision and true-positive errors are its own."""

from __future__ import annotations

import math
from typing import Any

from nuscenes.eval.common.config import config_factory
from nuscenes.eval.common.data_classes import EvalBoxes
from nuscenes.eval.common.loaders import add_center_dist, filter_eval_boxes, load_gt_of_sample_tokens
from nuscenes.eval.detection.data_classes import DetectionBox
from nuscenes.eval.detection.evaluate import DetectionEval

from kecor.datasets.nuscenes.tables import Tables
from kecor.errors import DataError

CONFIG = "detection_cvpr_2019"


class SampleEval(DetectionEval):
    """``DetectionEval`` of the samples of ``results``, which need not be a whole split.

    Args:
        tables: hold the ground truth.
        results: sample token -> boxes of a result file. Of equal scores the later box comes first, as in the devkit.
    """

    def __init__(self, tables: Tables, results: dict[str, list[dict[str, Any]]]) -> None:
        self.nusc = tables
        self.cfg = config_factory(CONFIG)
        self.verbose = False
        truth = load_gt_of_sample_tokens(tables, list(results), DetectionBox)
        self.gt_boxes = self._in_range(truth)
        self.pred_boxes = self._in_range(EvalBoxes.deserialize(results, DetectionBox))

    def _in_range(self, boxes: EvalBoxes) -> EvalBoxes:
        if not boxes.all:  # the devkit's filter fails without a single box
            return boxes
        return filter_eval_boxes(self.nusc, add_center_dist(self.nusc, boxes), self.cfg.class_range)

    def counts(self, boxes: EvalBoxes) -> dict[str, int]:
        """Number of boxes of each class."""
        names = [box.detection_name for box in boxes.all]
        return {name: names.count(name) for name in self.cfg.class_names}


def evaluate(tables: Tables, results: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """The detection metric (Caesar et al. 2020, section 3.1), JSON-ready; an error that does not count is None.

    Returns:
        ``mean_ap`` and ``nd_score``; ``label_aps``: class -> distance in metres -> AP; ``mean_dist_aps``: class -> AP;
        ``label_tp_errors``, ``tp_errors``, ``tp_scores``; ``n_ground_truth`` and ``n_detections``: class -> boxes in
        range; ``cfg``. Precision is in [0, 1].

    Raises:
        DataError: an annotation cannot be evaluated.
    """
    try:
        run = SampleEval(tables, results)
    except DataError:
        raise
    except Exception as error:  # the devkit raises bare exceptions and assertions
        raise DataError(f"{tables.table_root}: an annotation cannot be evaluated: {error}") from error
    metrics, _ = run.evaluate()
    values = metrics.serialize()
    del values["eval_time"]
    counts = {"n_ground_truth": run.counts(run.gt_boxes), "n_detections": run.counts(run.pred_boxes)}
    return _jsonable({**values, **counts})


def _jsonable(value: Any) -> Any:
    """``value`` with texts as keys, plain floats, and None for NaN."""
    if isinstance(value, dict):
        return {str(key): _jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_jsonable(item) for item in value]
    if isinstance(value, float):
        return None if math.isnan(value) else float(value)
    return value
