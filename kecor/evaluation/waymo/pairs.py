"""The pairs of a prediction and an object that may be matched, and the blocks that can be matched one by one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from kecor.ops.polygon import box_overlap, circumradius

MIN_IOU = np.array([0.0, 0.7, 0.5, 0.5, 0.5], np.float32)
"""3D IoU that a match needs, by type: unknown, vehicle, pedestrian, sign, cyclist."""
MIN_SIDE, MAX_SIDE = 1e-2, 1e6
"""A box with a side of at most, or of at least, so many metres overlaps nothing."""
MAX_WEIGHT = np.float32(1e6)
"""Weight of a pair whose IoU is 1."""


@dataclass(frozen=True)
class Pairs:
    """Pairs that may be matched.

    Attributes:
        prediction: (P,) int64 row of the prediction.
        gt: (P,) int64 row of the object.
        weight: (P,) int64, the IoU in millionths.
    """

    prediction: np.ndarray
    gt: np.ndarray
    weight: np.ndarray

    def take(self, keep: np.ndarray) -> Pairs:
        """The pairs that ``keep``, a mask or an index, picks."""
        return Pairs(self.prediction[keep], self.gt[keep], self.weight[keep])


@dataclass(frozen=True)
class Side:
    """What counting needs to know of the predictions, or of the objects, of one breakdown.

    Attributes:
        shard: (N,) int64 shard of each.
        group: (N,) int64 number of frame and shard; matching happens inside a group.
        boxes: (N, 7).
        flag: (N,) int64: of a prediction whether it is ignored when unmatched, of an object its difficulty.
    """

    shard: np.ndarray
    group: np.ndarray
    boxes: np.ndarray
    flag: np.ndarray


def find_pairs(
    boxes: np.ndarray, groups: np.ndarray, gt_boxes: np.ndarray, gt_groups: np.ndarray, types: np.ndarray
) -> Pairs:
    """All pairs whose IoU, rounded to float32, reaches :data:`MIN_IOU`.

    Args:
        boxes: (N, 7) predicted boxes.
        groups: (N,) number of the frame and type of each; only pairs of one group are looked at.
        gt_boxes: (M, 7) labelled boxes.
        gt_groups: (M,) likewise.
        types: (N,) type of each prediction.
    """
    order, gt_order = np.argsort(groups, kind="stable"), np.argsort(gt_groups, kind="stable")
    values = np.unique(groups)
    starts = np.append(np.searchsorted(groups[order], values), len(groups))
    gt_starts, gt_ends = (np.searchsorted(gt_groups[gt_order], values, side=side) for side in ("left", "right"))
    found = _pairs(
        np.ascontiguousarray(boxes, np.float64), np.ascontiguousarray(gt_boxes, np.float64),
        order, gt_order, starts, gt_starts, gt_ends, _usable(boxes), _usable(gt_boxes), MIN_IOU[types],
    )  # fmt: skip
    return Pairs(*found)


def _usable(boxes: np.ndarray) -> np.ndarray:
    return np.all((boxes[:, 3:6] > MIN_SIDE) & (boxes[:, 3:6] < MAX_SIDE), axis=1)


@njit(cache=True, nogil=True)
def _pairs(boxes, gt_boxes, order, gt_order, starts, gt_starts, gt_ends, usable, gt_usable, min_iou):
    found = np.empty((3, 2 * len(boxes) + 1), np.int64)
    n = 0
    radius, gt_radius = circumradius(boxes), circumradius(gt_boxes)
    for group in range(len(gt_starts)):
        for i in order[starts[group] : starts[group + 1]]:
            for j in gt_order[gt_starts[group] : gt_ends[group]]:
                if not (usable[i] and gt_usable[j]):
                    continue
                iou = np.float32(box_overlap(boxes, i, gt_boxes, j, radius[i] + gt_radius[j], True))
                if iou < min_iou[i]:
                    continue
                if n == found.shape[1]:
                    found = np.concatenate((found, np.empty_like(found)), axis=1)
                found[0, n], found[1, n], found[2, n] = i, j, np.int64(np.floor(np.float32(iou * MAX_WEIGHT) + 0.5))
                n += 1
    return found[0, :n], found[1, :n], found[2, :n]


def split_in_blocks(predictions: Side, gt: Side, pairs: Pairs) -> tuple[np.ndarray, ...]:
    """The parts of the matching problem that can be solved alone.

    Args:
        predictions: all predictions.
        gt: all objects.
        pairs: at least one pair, each of one group.

    Returns:
        Rows of predictions ordered by block, (B + 1,) where each block starts; the same of objects; the fields of the
        pairs ordered by block, where each block starts. Rows of one block ascend.
    """
    block, gt_block = _blocks(predictions, gt, pairs)
    used = np.unique(block[pairs.prediction])
    result: list[np.ndarray] = []
    for of in (block, gt_block):
        rows = np.flatnonzero(np.isin(of, used))
        rows = rows[np.argsort(of[rows], kind="stable")]
        result += [rows, np.append(np.searchsorted(of[rows], used), len(rows))]
    of_pair = block[pairs.prediction]
    pairs = pairs.take(np.argsort(of_pair, kind="stable"))
    starts = np.append(np.searchsorted(np.sort(of_pair), used), len(of_pair))
    return *result, pairs.prediction, pairs.gt, pairs.weight, starts


def _blocks(predictions: Side, gt: Side, pairs: Pairs) -> list[np.ndarray]:
    """The block of each prediction and of each object: parts of the matching problem that are solved alone.

    A block is a connected component of the pairs. Where a component may have several best assignments, all of its
    group is one block, so that the choice is the one which a single assignment of the group makes.
    """
    n, m = len(predictions.group), len(gt.group)
    graph = coo_array((np.ones(len(pairs.weight)), (pairs.prediction, n + pairs.gt)), shape=(n + m, n + m))
    n_parts, part = connected_components(graph, directed=False)
    group = np.concatenate([predictions.group, gt.group])
    of_pair = part[pairs.prediction].astype(np.int64)
    in_doubt = pairs.take(np.isin(of_pair, _repeated(of_pair, pairs.weight)))
    kinds = _kinds(predictions, in_doubt.prediction), _kinds(gt, in_doubt.gt)
    distinct = np.unique(np.stack([part[in_doubt.prediction], in_doubt.weight, *kinds]), axis=1)
    tied = np.isin(part, _repeated(distinct[0], distinct[1]))
    return np.split(np.where(np.isin(group, group[tied]), n_parts + group, part), [n])


def _repeated(of_pair: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The components in which a weight occurs more than once."""
    order = np.lexsort((weight, of_pair))
    same = (np.diff(of_pair[order]) == 0) & (np.diff(weight[order]) == 0)
    return of_pair[order[1:][same]]


def _kinds(side: Side, rows: np.ndarray) -> np.ndarray:
    """A number for each of ``rows``, the same for exact copies: which one of them is matched changes no count."""
    return np.unique(np.column_stack([side.boxes[rows], side.flag[rows]]), axis=0, return_inverse=True)[1].reshape(-1)
