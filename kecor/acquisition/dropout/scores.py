"""Scores of frames from several dropout passes over each RoI."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kecor.acquisition.arguments import check_number
from kecor.acquisition.base import take_best
from kecor.acquisition.uncertainty.measures import aggregation_named
from kecor.errors import SelectionError
from kecor.progress import progress_bar
from kecor.structures import Budget, FrameSet, Selection

VALUES_AT_ONCE = 1 << 20
"""Number of values read from the arrays at once."""


class PassMethod:
    """Base of the methods that select the frames with the highest aggregated score over RoIs in dropout passes.

    Subclasses set ``name``, the name of the method; ``names``, the arrays it reads (``pass_logits``, ``pass_boxes``);
    and ``per_roi``, which maps (n, P, classes) logits and/or (n, P, 7) boxes, float64, to (n,) values.

    Args:
        min_score: RoIs that score less are left out; a frame without other RoIs scores 0.
        aggregation: how the values of a frame's RoIs are combined: ``mean``, ``sum`` or ``max``.

    Raises:
        ConfigError: an argument is out of range.
    """

    needs = frozenset({"dropout_passes"})
    name: str
    names: tuple[str, ...]
    per_roi: Callable[..., np.ndarray]

    def __init__(self, min_score: float = 0.1, aggregation: str = "mean") -> None:
        check_number("min_score", min_score, lambda v: 0 <= v <= 1, "a number from 0 to 1")
        self.min_score, self.aggregate = min_score, aggregation_named(aggregation)

    def select(self, pool: FrameSet, labelled: FrameSet, budget: Budget, rng: np.random.Generator) -> Selection:
        """See :class:`~kecor.acquisition.base.Acquisition`. Ties are broken by frame id."""
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
    """(N,) ``aggregate`` of the ``per_roi`` values of each frame; 0 for a frame without RoIs.

    Args:
        frames: with ``roi_mask``, the arrays ``names`` and optionally ``roi_scores``.
        method_name: for error messages.
        names: the arrays to read: ``pass_logits`` and/or ``pass_boxes``.
        per_roi: maps (n, P, classes) logits and/or (n, P, 7) boxes, float64, to (n,) values.
        aggregate: combines the values of a frame's RoIs.
        min_score: RoIs that score less are left out; without ``roi_scores`` all RoIs count.

    Raises:
        SelectionError: an array is missing, has a wrong shape, or has a value that is not finite.
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
            _check_finite(values, frames.ids[owner], method_name)
            found = per_roi(*(array.astype(np.float64) for array in values.values()))
            first = np.flatnonzero(np.diff(owner, prepend=-1))  # where the RoIs of the next frame start
            for frame, rois in zip(owner[first], np.split(found, first[1:])):
                scores[frame] = aggregate(rois)
            bar.update(len(counted[part]))
    return scores


def _check_finite(values: dict[str, np.ndarray], owner_ids: np.ndarray, method_name: str) -> None:
    for name, array in values.items():
        bad = ~np.isfinite(array).all((1, 2))
        if bad.any():
            raise SelectionError(f"{method_name}: frame {str(owner_ids[bad][0])!r}: its {name} are not finite")


def _arrays(frames: FrameSet, method_name: str, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The arrays ``names``, with checked shapes."""
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
    """(N, R) bool: the valid RoIs that score at least ``min_score``."""
    mask = np.asarray(frames.feats["roi_mask"], bool)
    return mask & (np.asarray(frames.feats["roi_scores"]) >= min_score) if "roi_scores" in frames.feats else mask
