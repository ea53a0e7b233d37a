"""From which score on the predicted boxes of a round are drawn, learned from the labelled frames."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from kecor import run_dir
from kecor.evaluation.confidence import ENOUGH, score_thresholds
from kecor.files import read_json, write_json
from kecor.frame_sets.files import read_frames
from kecor.structures import Boxes, Detections
from kecor.visualization.run_folder import RoundRecord, RunRecord

PROBABILITY = 0.3
"""Probability of being correct that a box must have to be drawn, where the config does not say."""


class Labels(Protocol):
    """Reads the labels of a labelled frame."""

    def read_labels(self, frame_id: str) -> tuple[Boxes, np.ndarray]: ...


@dataclass(frozen=True)
class Confidence:
    """Score thresholds of a round.

    Attributes:
        probability: of being correct that a box must have to be drawn.
        scores: class -> score from which it has; infinite if no score is high enough.
        calibrated: classes whose threshold was learned. That of others is ``probability`` itself.
    """

    probability: float
    scores: dict[str, float]
    calibrated: list[str]

    def shown(self, found: Detections) -> Detections:
        """The detections that are drawn."""
        labels, scores = np.asarray(found.labels, int), np.asarray(found.scores)
        sure = scores >= np.array(list(self.scores.values()))[labels]
        return Detections(np.asarray(found.boxes)[sure], scores[sure], labels[sure])

    def caption(self) -> str:
        """Which predicted boxes are drawn, as the end of a sentence."""
        if not self.calibrated:
            return (
                f"with a score of at least {self.probability:g} (not calibrated, as no class has {ENOUGH} detections "
                "in the labelled frames)"
            )
        parts = [f"{name}: {self._threshold(name)}" for name in self.scores]
        probability = f"a probability of at least {100 * self.probability:g} %"
        return f"that are correct with {probability}, as estimated on the labelled frames ({'; '.join(parts)})"

    def _threshold(self, name: str) -> str:
        if not math.isfinite(self.scores[name]):
            return "none"
        text = f"score of at least {self.scores[name]:.2f}"
        return text if name in self.calibrated else f"{text}, not calibrated as it has too few detections"


def write_confidence(record: RoundRecord, run: RunRecord, labels: Labels) -> Confidence:
    """Learn the thresholds of a round and keep them in its folder.

    Raises:
        DataError: the labelled frames or their labels cannot be read.
    """
    classes: Sequence[str] = run.config["data"]["classes"]
    probability = float((run.config.get("oracle") or {}).get("min_confidence", PROBABILITY))
    ids, found = labelled_detections(record)
    thresholds = score_thresholds(found, [labels.read_labels(i) for i in ids], classes, probability)
    counts = np.bincount(np.concatenate([np.zeros(0, int), *(d.labels for d in found)]), minlength=len(classes))
    calibrated = [name for name, count in zip(classes, counts) if count >= ENOUGH]
    confidence = Confidence(probability, dict(zip(classes, thresholds.tolist())), calibrated)
    scores = {name: score if math.isfinite(score) else None for name, score in confidence.scores.items()}
    value = {"probability": probability, "scores": scores, "calibrated": calibrated}
    write_json(record.folder / run_dir.CONFIDENCE, value)
    return confidence


def read_confidence(record: RoundRecord) -> Confidence | None:
    """The thresholds that the pictures of a round were drawn with; None where none are kept."""
    path = record.folder / run_dir.CONFIDENCE
    if not path.is_file():
        return None
    value: dict[str, Any] = read_json(path)
    scores = {name: math.inf if score is None else score for name, score in value["scores"].items()}
    return Confidence(value["probability"], scores, value["calibrated"])


def labelled_detections(record: RoundRecord) -> tuple[list[str], list[Detections]]:
    """Ids of the labelled frames of a round and what its detector found in them; empty where nothing was kept."""
    folder = record.folder / run_dir.POOL_LABELLED
    if not folder.is_dir():
        return [], []
    frames = read_frames(folder)
    return (frames.ids.tolist(), frames.detections) if frames.detections else ([], [])
