"""True positives, false positives and misses at every score cut-off.

The blocks of the matching problem are solved one by one, and again only when their kept predictions change.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from kecor.evaluation.waymo.pairs import Pairs, Side, split_in_blocks
from kecor.ops.assignment import maximum_weight_assignment

CUTOFFS = (np.arange(101) * 0.01).astype(np.float32)
"""A prediction takes part at a cut-off that its score reaches."""
LEVELS = (1, 2)


@dataclass(frozen=True)
class Counts:
    """Counts of one breakdown, by shard and cut-off.

    Attributes:
        tp: (S, 101) matched predictions.
        fp: (S, 101) predictions without a match, those in no-label zones left out.
        fn: (2, S, 101) missed objects up to level 1 and up to level 2.
        heading: (S, 101) summed heading accuracy of the matched predictions, each in [0, 1].
    """

    tp: np.ndarray
    fp: np.ndarray
    fn: np.ndarray
    heading: np.ndarray


def count(predictions: Side, gt: Side, reach: np.ndarray, pairs: Pairs, n_shards: int) -> Counts:
    """Match the predictions kept at each cut-off with the objects, and count.

    Args:
        predictions: all predictions.
        gt: all objects.
        reach: (N,) int64, the number of cut-offs each prediction is kept at.
        pairs: the pairs that may be matched, whether or not both lie in the same shard.
        n_shards: number of shards.
    """
    pairs = pairs.take(predictions.group[pairs.prediction] == gt.group[pairs.gt])
    changes = np.zeros((n_shards, len(CUTOFFS) + 1, 5))
    if len(pairs.weight):
        facts = predictions.boxes[:, 6], gt.boxes[:, 6], predictions.flag, gt.flag
        arguments = *split_in_blocks(predictions, gt, pairs), predictions.shard, reach, *facts, changes
        _match_blocks(*arguments)
    matched = changes.cumsum(1)[:, :-1]
    whole = np.rint(matched[..., :4]).astype(np.int64)
    objects = [np.bincount(gt.shard[gt.flag <= level], minlength=n_shards) for level in LEVELS]
    fn = [n[:, None] - whole[..., 2 + i] for i, n in enumerate(objects)]
    return Counts(
        whole[..., 0], _kept_predictions(predictions, reach, n_shards) - whole[..., 1], np.stack(fn), matched[..., 4]
    )


def _kept_predictions(predictions: Side, reach: np.ndarray, n_shards: int) -> np.ndarray:
    """(S, 101) predictions kept that are not ignored."""
    counted = predictions.flag == 0
    kept = np.zeros((n_shards, len(CUTOFFS) + 1), np.int64)
    np.add.at(kept, (predictions.shard[counted], reach[counted]), 1)
    return kept[:, ::-1].cumsum(1)[:, ::-1][:, 1:]


@njit(cache=True, nogil=True)
def _match_blocks(
    rows, starts, gt_rows, gt_starts, pair_prediction, pair_gt, pair_weight, pair_starts,
    shard, reach, heading, gt_heading, ignored, difficulty, changes,
):  # fmt: skip
    """Write to ``changes`` (S, 102, 5) how much more is counted at each cut-off than at the one before.

    Counted are matches, those of predictions not ignored, those with objects up to level 1 and up to level 2, and
    heading accuracy.
    """
    for b in range(len(starts) - 1):
        mine, gt_mine = rows[starts[b] : starts[b + 1]], gt_rows[gt_starts[b] : gt_starts[b + 1]]
        here = slice(pair_starts[b], pair_starts[b + 1])
        weights = _weights(mine, gt_mine, pair_prediction[here], pair_gt[here], pair_weight[here])
        high = reach[mine].max()
        while high > 0:  # the same predictions are kept at the cut-offs from low to high - 1
            kept, low = _kept(reach[mine], high)
            columns = _assign(weights, kept)
            for i in range(len(kept)):
                if columns[i] >= 0:
                    p, g = mine[kept[i]], gt_mine[columns[i]]
                    accuracy = _heading_accuracy(heading[p], gt_heading[g])
                    _add(changes[shard[p], low], 1, ignored[p], difficulty[g], accuracy)
                    _add(changes[shard[p], high], -1, ignored[p], difficulty[g], accuracy)
            high = low


@njit(cache=True, nogil=True)
def _weights(mine, gt_mine, prediction, gt, weight):
    """(rows, columns) weight of each pair of one block, 0 where a pair may not be matched."""
    weights = np.zeros((len(mine), len(gt_mine)), np.int64)
    row, column = np.searchsorted(mine, prediction), np.searchsorted(gt_mine, gt)
    for k in range(len(weight)):
        weights[row[k], column[k]] = weight[k]
    return weights


@njit(cache=True, nogil=True)
def _kept(reach, high):
    """The rows that are kept at the cut-off ``high - 1``, and the first cut-off at which no others are."""
    low = 0
    for value in reach:
        if low < value < high:
            low = value
    return np.flatnonzero(reach >= high), low


@njit(cache=True, nogil=True)
def _assign(weights, kept):
    """The column that each row named in ``kept`` is matched with, -1 for none."""
    n_columns = weights.shape[1]
    n = max(len(kept), n_columns)
    square = np.zeros((n, n), np.int64)
    for i in range(len(kept)):
        square[i, :n_columns] = weights[kept[i]]
    columns = maximum_weight_assignment(square)[: len(kept)]
    for i in range(len(kept)):
        if square[i, columns[i]] == 0:
            columns[i] = -1
    return columns


@njit(cache=True, nogil=True)
def _heading_accuracy(a, b):
    """1 for the same heading, 0 for the opposite one."""
    turn = np.abs(a - b) % (2 * np.pi)
    return 1.0 - min(turn, 2 * np.pi - turn) / np.pi


@njit(cache=True, nogil=True)
def _add(cell, times, ignored, difficulty, accuracy):
    cell[0] += times
    cell[1] += times * (ignored == 0)
    cell[2] += times * (difficulty <= 1)
    cell[3] += times * (difficulty <= 2)
    cell[4] += times * accuracy
