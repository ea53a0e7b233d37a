"""Maximum-weight assignment by the Hungarian algorithm (Kuhn 1955, Munkres 1957)."""

from __future__ import annotations

import numpy as np
from numba import njit

_INFINITE = np.iinfo(np.int64).max


@njit(cache=True, nogil=True)
def maximum_weight_assignment(weights):
    """The column assigned to each row in an assignment of maximum total weight.

    The dual variables start at the largest weight of each row and at zero for each column. Rows are assigned in order,
    each by a breadth-first alternating tree. If several assignments are optimal, this order decides which one is
    returned, as in the Waymo Open Dataset's ``metrics/hungarian.cc``. Time O(n^3).

    Args:
        weights: (n, n) int64, non-negative.

    Returns:
        (n,) int64 columns.
    """
    n = len(weights)
    row_dual, column_dual = np.zeros(n, np.int64), np.zeros(n, np.int64)
    for i in range(n):
        row_dual[i] = weights[i].max()
    column_of, row_of = np.full(n, -1), np.full(n, -1)
    for root in range(n):
        _augment(root, weights, row_dual, column_dual, column_of, row_of)
    return column_of


@njit(cache=True, nogil=True)
def _augment(root, weights, row_dual, column_dual, column_of, row_of):
    """Grow an alternating tree from the free row ``root`` to a free column and flip the path between them."""
    n = len(weights)
    slack, via, reached = np.full(n, _INFINITE), np.zeros(n, np.int64), np.zeros(n, np.bool_)
    tree = np.empty(n, np.int64)
    size, row, column = 0, root, -1
    while row >= 0:
        tree[size] = row
        for j in range(n):
            gap = row_dual[row] + column_dual[j] - weights[row, j]
            if not reached[j] and gap < slack[j]:
                slack[j], via[j] = gap, size
        size += 1
        column = _least_slack(slack, via, reached)
        _update_duals(slack[column], slack, reached, tree[:size], row_dual, column_dual)
        reached[column] = True
        row = row_of[column]
    while column >= 0:
        row = tree[via[column]]
        column_of[row], row_of[column], column = column, row, column_of[row]


@njit(cache=True, nogil=True)
def _least_slack(slack, via, reached):
    """The column outside the tree with the smallest slack; ties go to the column of the earliest row of the tree."""
    best = -1
    for j in range(len(slack)):
        if reached[j]:
            continue
        if best < 0 or slack[j] < slack[best] or (slack[j] == slack[best] and via[j] < via[best]):
            best = j
    return best


@njit(cache=True, nogil=True)
def _update_duals(step, slack, reached, tree, row_dual, column_dual):
    """Change the dual variables of the tree by ``step``, so that the edge with this slack becomes tight."""
    if step == 0:
        return
    for row in tree:
        row_dual[row] -= step
    for j in range(len(slack)):
        if reached[j]:
            column_dual[j] += step
        else:
            slack[j] -= step
