"""Calibrated expected objects: how many boxes of each class a frame holds, learned from the labelled frames."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import expit, logit

from kecor.acquisition.logistic import LogisticFit, fit_logistic
from kecor.errors import SelectionError
from kecor.structures import FrameSet

SCORE_MARGIN = 1e-6
"""Scores are kept this far from 0 and 1, so that their logits are finite."""
CHUNK = 1 << 12
"""Number of frames read at once."""
POOL_ARRAYS = ("roi_scores", "roi_labels", "roi_mask")
TRUTH_ARRAYS = ("objects", "true_counts")


@dataclass(frozen=True)
class Calibration:
    """Probability that an RoI is an object of its class, and the rate of objects that no RoI claims.

    Attributes:
        fits: logistic function of the logit of an RoI's score, for each class.
        missed: (classes,) mean number of true boxes per frame that no RoI claims.
    """

    fits: list[LogisticFit]
    missed: np.ndarray

    @classmethod
    def fit(cls, labelled: FrameSet) -> Calibration:
        """Fit to labelled frames with ``objects`` and ``true_counts``.

        The slope of a class has a prior around that of all classes together, and this one around 1. Intercepts have
        none, so that the expected number of objects of a class equals the true one over the labelled frames. A class
        without objects is expected half an object over all of them: not seen is not impossible.
        """
        order = np.argsort(labelled.ids)  # sums do not depend on the order of the frames
        scores, labels, mask, objects = (
            np.asarray(labelled.feats[name])[order] for name in ("roi_scores", "roi_labels", "roi_mask", "objects")
        )
        counts = np.asarray(labelled.feats["true_counts"], np.float64)
        mask = mask.astype(bool)
        x, classes, y = _logits(scores[mask]), labels[mask], objects[mask].astype(np.float64)
        pooled = fit_logistic(x, y, slope=1.0)
        fits, claimed = [], np.zeros(counts.shape[1])
        for number in range(counts.shape[1]):
            of_class = classes == number
            claimed[number] = y[of_class].sum()
            fits.append(fit_logistic(x[of_class], y[of_class], pooled.slope) if of_class.any() else pooled)
        return cls(fits, np.maximum(counts.sum(0) - claimed, 0.0) / len(labelled))

    def expect(self, frames: FrameSet) -> FrameSet:
        """``frames`` with ``roi_probs`` (N, R) float32 and ``expected_counts`` (N, classes) float64.

        Raises:
            SelectionError: an RoI has a class that the calibration does not know.
        """
        scores, labels, mask = (frames.feats[name] for name in POOL_ARRAYS)
        probs = np.zeros(scores.shape, np.float32)
        counts = np.tile(self.missed, (len(frames), 1))
        slopes, intercepts = (np.array([getattr(f, name) for f in self.fits]) for name in ("slope", "intercept"))
        for start in range(0, len(frames), CHUNK):
            rows = slice(start, start + CHUNK)
            valid = np.asarray(mask[rows], bool)
            classes = np.where(valid, labels[rows], 0)
            if classes.max(initial=0) >= len(self.fits):
                raise SelectionError(f"roi_labels: class {classes.max()}; true_counts has {len(self.fits)} classes")
            chances = expit(slopes[classes] * _logits(scores[rows]) + intercepts[classes]) * valid
            probs[rows] = chances
            for number in range(len(self.fits)):
                counts[rows, number] += (chances * (classes == number)).sum(1)
        return replace(frames, feats={**frames.feats, "roi_probs": probs, "expected_counts": counts})


def calibrated(pool: FrameSet, labelled: FrameSet) -> tuple[FrameSet, FrameSet, dict[str, Any]]:
    """Both sets with calibrated expectations, and a report of the calibration for ``selection.json``.

    Without RoI scores, or without the truth of labelled frames, the sets stay as they are and their boxes are the
    detections; the report says so.
    """
    lacking = [f"{name} of the pool" for name in POOL_ARRAYS if name not in pool.feats]
    lacking += [f"{name} of labelled frames" for name in POOL_ARRAYS + TRUTH_ARRAYS if name not in labelled.feats]
    if lacking or len(labelled) == 0:
        reason = ", ".join(lacking) + " missing" if lacking else "no labelled frame"
        return pool, labelled, {"basis": f"number of detections, not calibrated: {reason}"}
    calibration = Calibration.fit(labelled)
    known = calibration.expect(labelled)
    return calibration.expect(pool), known, {"basis": "RoI scores", **_report(calibration, known)}


def _report(calibration: Calibration, labelled: FrameSet) -> dict[str, Any]:
    """The fit of each class, and expected against true boxes of labelled frames."""
    true, expected = np.asarray(labelled.feats["true_counts"], np.float64), labelled.expected_counts()
    return {
        "objects": true.sum(0).astype(int).tolist(),
        "slope": [round(fit.slope, 6) for fit in calibration.fits],
        "intercept": [round(fit.intercept, 6) for fit in calibration.fits],
        "missed_rate": calibration.missed.tolist(),
        "expected_mean": expected.mean(0).tolist(),
        "true_mean": true.mean(0).tolist(),
        "correlation": correlation(expected.sum(1), true.sum(1)),
    }


def correlation(one: np.ndarray, other: np.ndarray) -> float | None:
    """Pearson's correlation of two arrays (n,); None if one of them is constant."""
    one, other = (np.asarray(a, np.float64) for a in (one, other))
    if len(one) < 2 or np.ptp(one) < 1e-12 or np.ptp(other) < 1e-12:
        return None
    return float(np.corrcoef(one, other)[0, 1])


def _logits(scores: np.ndarray) -> np.ndarray:
    return logit(np.clip(np.asarray(scores, np.float64), SCORE_MARGIN, 1 - SCORE_MARGIN))
