"""The official TensorFlow op, run as a script by the Python of another environment; see ``official.py``.

Usage: ``python official_op.py ARRAYS.npz RESULT.json BREAKDOWN...`` with prepared arrays. Imports nothing of kecor.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np


def config(breakdowns: list[str]) -> Any:
    """The settings of the benchmark (Waymo's ``compute_detection_metrics_main.cc``)."""
    from google.protobuf import text_format
    from waymo_open_dataset.protos import metrics_pb2

    shards = "".join(f"breakdown_generator_ids: {name} difficulties {{levels: 1 levels: 2}} " for name in breakdowns)
    cutoffs = "".join(f"score_cutoffs: {i * 0.01} " for i in range(101))
    thresholds = "".join(f"iou_thresholds: {value} " for value in (0.0, 0.7, 0.5, 0.5, 0.5))
    text = f"{shards}{cutoffs}{thresholds} matcher_type: TYPE_HUNGARIAN box_type: TYPE_3D"
    return text_format.Parse(text, metrics_pb2.Config())


def measure(arrays: Any, breakdowns: list[str]) -> dict[str, Any]:
    """AP and APH of each row, and the time the op took."""
    from waymo_open_dataset.metrics.ops import py_metrics_ops
    from waymo_open_dataset.metrics.python import config_util_py

    settings = config(breakdowns)
    started = time.perf_counter(), time.process_time()
    found = py_metrics_ops.detection_metrics(
        prediction_bbox=arrays["pred_boxes"].astype(np.float32),
        prediction_type=arrays["pred_type"].astype(np.uint8),
        prediction_score=arrays["pred_score"].astype(np.float32),
        prediction_frame_id=arrays["pred_frame_id"].astype(np.int64),
        prediction_overlap_nlz=arrays["pred_overlap_nlz"].astype(bool),
        ground_truth_bbox=arrays["gt_boxes"].astype(np.float32),
        ground_truth_type=arrays["gt_type"].astype(np.uint8),
        ground_truth_frame_id=arrays["gt_frame_id"].astype(np.int64),
        ground_truth_difficulty=arrays["gt_difficulty"].astype(np.uint8),
        config=settings.SerializeToString(),
    )
    seconds = time.perf_counter() - started[0], time.process_time() - started[1]
    names = config_util_py.get_breakdown_names_from_config(settings)
    ap, aph = (np.asarray(values, np.float64).tolist() for values in found[:2])
    rows = {name: {"AP": a, "APH": h} for name, a, h in zip(names, ap, aph)}
    return {"breakdowns": rows, "seconds": seconds[0], "cpu_seconds": seconds[1]}


if __name__ == "__main__":
    with np.load(sys.argv[1], allow_pickle=False) as archive:
        result = measure(archive, sys.argv[3:])
    Path(sys.argv[2]).write_text(json.dumps(result))
