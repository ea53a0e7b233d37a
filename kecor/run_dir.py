"""The names of all files of a run. No other module spells one out."""

from __future__ import annotations

from pathlib import Path

STATE = "al_state.json"
STATE_BACKUP = "al_state.json.bak"
CONFIG = "config.yaml"
LOG = "train_al.log"
INITIAL_WEIGHTS = "initial.pth"
SUMMARY = "summary.csv"
CURVE = "curve.png"
KERNEL = "kernel.png"
REPORT = "report.html"

INITIAL = "initial"
"""Folder of the first frames, where annotators label them too."""
LABELS = "labels"
"""Folder of the labels that annotators returned, ``ID.txt``."""

CHECKPOINT = "checkpoint.pth"
METRICS = "metrics.json"
SELECTION = "selection.json"
PICKS = "picks"
"""Folder of pictures and 3D views of the frames picked in a round."""
CONFIDENCE = "confidence.json"
"""Scores from which predicted boxes are drawn in these pictures."""
MAP = "frame_map.json"
TO_LABEL = "to_label"
HANDED_OUT = "handed_out.json"
DELIVERED = "delivered.json"
ANNOTATORS = "annotators.json"
TRAIN_LOG = "train.log"
TENSORBOARD = "tensorboard"
RESULTS = "results"
POOL_UNLABELLED = "pool/unlabelled"
POOL_LABELLED = "pool/labelled"
"""Frame sets: what the detector of a round found in the unlabelled and in the labelled frames."""

ROUNDS = "round_*"


def source_dir(work_dir: Path, number: int) -> Path:
    """The folder of the purchase that round ``number`` trains on: the round before, or that of the first frames."""
    return round_dir(work_dir, number - 1) if number > 0 else work_dir / INITIAL


def round_dir(work_dir: Path, number: int) -> Path:
    """The folder of one round."""
    return work_dir / f"round_{number:02d}"
