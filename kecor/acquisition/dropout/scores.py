"""Scores of frames from dropout passes: what one pass after another says of each RoI, read a few frames at a time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kecor.acquisition.base import check_argument, take_best
from kecor.acquisition.uncertainty.measures import aggregation_named
from kecor.errors import SelectionError
from kecor.progress import progress_bar
from kecor.structures import Budget, FrameSet, Selection

VALUES_AT_ONCE = 1 << 20
"""Values of an array read at once."""


class PassMethod:
    """A method that takes the frames of the highest aggregated values of RoIs in dropout passes.

    A method sets ``name``, its own; ``names``, of ``pass_logits`` and ``pass_boxes`` those it reads; and ``per_roi``,
    from (n, P, classes) logits, (n, P, 7) boxes or both, float64, to (n,) values.

    Args:
        min_score: RoIs that score less do not count; a frame without any other scores 0.
        aggregation: how the values of a frame's RoIs become one score: ``mean``, ``sum`` or ``max``.
    """

    needs = frozenset({"dropout_passes"})
    name: str
    names: tuple[str, ...]
    per_roi: Callable[..., np.ndarray]

    def __init__(self, min_score: float = 0.1, aggregation: str = "mean") -> None:
        fits = isinstance(min_score, (int, float)) and not isinstance(min_score, bool) and 0 <= min_score <= 1
        check_argument("min_score", min_score, fits, "a number from 0 to 1")
        self.min_score, self.aggregate = min_score, aggregation_named(aggregation)

    def select(self, pool: FrameSet, labelled: FrameSet, budget: Budget, rng: np.random.Generator) -> Selection:
        """See :class:`~kecor.acquisition.base.Acquisition`. Frames of equal score stand in the order of their ids."""
        scores = pass_scores(pool, self.name, self.names, self.per_roi, self.aggregate, self.min_score)
        return take_best(scores, pool, budget)


def pass_scores(
    frames: FrameSet,
    method_name: str,
    names: tuple[str, ...],
    per_roi: Callable[..., np.ndarray],
    aggregate: Callable[[np.ndarray], float],
    min_score: float,
) -> np.ndarray:
    """(N,) ``aggregate`` of what ``per_roi`` says of each frame's RoIs; 0 for a frame without RoIs.

    Args:
        frames: with ``roi_mask``, perhaps ``roi_scores``, and the arrays ``names``.
        method_name: who asks, for errors.
        names: of ``pass_logits`` and ``pass_boxes``, those to read.
        per_roi: from (n, P, classes) logits, (n, P, 7) boxes or both, float64, to (n,).
        aggregate: from the values of a frame's RoIs to one.
        min_score: RoIs that score less do not count; where there are no scores, all count.

    Raises:
        SelectionError: an array is missing, or has a wrong shape, or a value that is not finite.
    """
    scores = np.zeros(len(frames))
    if not len(frames):
        return scores
    arrays, counted = _arrays(frames, method_name, names), _counted(frames, min_score)
    step = max(1, VALUES_AT_ONCE // max(1, sum(int(np.prod(array.shape[1:])) for array in arrays.values())))
    with progress_bar("passes", len(frames), "frame", delay=3.0) as bar:
        for start in range(0, len(frames), step):
            part = slice(start, start + step)
            values = {name: np.asarray(array[part])[counted[part]] for name, array in arrays.items()}
            owner = start + np.nonzero(counted[part])[0]
            for name, array in values.items():
                bad = ~np.isfinite(array).all((1, 2))
                if bad.any():
                    frame = str(frames.ids[owner[bad][0]])
                    raise SelectionError(f"{method_name}: frame {frame!r}: its {name} are not finite")
            found = per_roi(*(array.astype(np.float64) for array in values.values()))
            first = np.flatnonzero(np.diff(owner, prepend=-1))  # RoIs of a frame stand together
            for frame, rois in zip(owner[first], np.split(found, first[1:])):
                scores[frame] = aggregate(rois)
            bar.update(len(counted[part]))
    return scores


def _arrays(frames: FrameSet, method_name: str, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The arrays ``names`` as they lie, of fitting shapes."""
    for name in ("roi_mask", *names):
        if name not in frames.feats:
            raise SelectionError(f"{method_name}: the pool carries no {name!r}")
    shape = np.shape(frames.feats["roi_mask"])
    passes = frames.feats[names[0]].shape[2:3]
    for name in names:
        found = frames.feats[name].shape
        width = 7 if name == "pass_boxes" else found[-1]
        if len(shape) != 2 or found != (*shape, *passes, width) or 0 in found[2:]:
            raise SelectionError(f"{method_name}: {name}: shape {found} does not fit roi_mask {shape}")
    return {name: frames.feats[name] for name in names}


def _counted(frames: FrameSet, min_score: float) -> np.ndarray:
    """(N, R) which RoIs count."""
    mask = np.asarray(frames.feats["roi_mask"], bool)
    return mask & (np.asarray(frames.feats["roi_scores"]) >= min_score) if "roi_scores" in frames.feats else mask
