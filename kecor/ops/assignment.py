"""Assignment of maximum weight by the algorithm of Kuhn (1955) and Munkres (1957)."""

from __future__ import annotations

import numpy as np
from numba import njit

_FAR = np.iinfo(np.int64).max


@njit(cache=True, nogil=True)
def maximum_weight_assignment(weights):
    """The column of each row in an assignment of maximum total weight.

    The dual variables start at the greatest weight of each row and at zero for each column. Rows are assigned in
    order, each by a breadth-first alternating tree. Among several best assignments this order decides which one is
    found, as it does in the Waymo Open Dataset's ``metrics/hungarian.cc``. Time O(n^3).

    Args:
        weights: (n, n) int64, not negative.

    Returns:
        (n,) int64.
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
    """Grow the tree of the free row ``root`` until it reaches a free column, and swap along the path between them."""
    n = len(weights)
    slack, via, reached = np.full(n, _FAR), np.zeros(n, np.int64), np.zeros(n, np.bool_)
    tree = np.empty(n, np.int64)
    size, row, column = 0, root, -1
    while row >= 0:
        tree[size] = row
        for j in range(n):
            gap = row_dual[row] + column_dual[j] - weights[row, j]
            if not reached[j] and gap < slack[j]:
                slack[j], via[j] = gap, size
        size += 1
        column = _nearest(slack, via, reached)
        _lower(slack[column], slack, reached, tree[:size], row_dual, column_dual)
        reached[column] = True
        row = row_of[column]
    while column >= 0:
        row = tree[via[column]]
        column_of[row], row_of[column], column = column, row, column_of[row]


@njit(cache=True, nogil=True)
def _nearest(slack, via, reached):
    """The column outside the tree with the least slack; among equals the one that the earliest row of the tree sees."""
    best = -1
    for j in range(len(slack)):
        if reached[j]:
            continue
        if best < 0 or slack[j] < slack[best] or (slack[j] == slack[best] and via[j] < via[best]):
            best = j
    return best


@njit(cache=True, nogil=True)
def _lower(step, slack, reached, tree, row_dual, column_dual):
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
