"""Which detection finds which ground truth object: KITTI's greedy matching, frame by frame.

A ground truth object and a detection has a role for the class and difficulty under evaluation: COUNTED, IGNORED
(it may be matched, and then neither object nor detection counts) or ABSENT.
"""

from __future__ import annotations

import numpy as np
from numba import njit

COUNTED, IGNORED, ABSENT = 0, 1, -1


@njit(cache=True, nogil=True)
def matched_scores(gt_roles, det_roles, scores, overlaps, min_overlap, gt_starts, det_starts, pair_starts):
    """Scores of the detections that find a counted object when each object takes its best-scored detection.

    Args:
        gt_roles: (G,) int64 role of each object.
        det_roles: (D,) int64 role of each detection.
        scores: (D,) float64.
        overlaps: (P,) float64 overlap of each pair of one frame, objects first (see ``FramePairs``).
        min_overlap: a match needs an overlap above it.
        gt_starts, det_starts, pair_starts: (F + 1,) int64 where each frame starts.

    Returns:
        (N,) float64.
    """
    found = np.empty(len(gt_roles))
    n = 0
    taken = np.zeros(len(det_roles), np.bool_)
    for f in range(len(gt_starts) - 1):
        first, end = det_starts[f], det_starts[f + 1]
        for i in range(gt_starts[f], gt_starts[f + 1]):
            if gt_roles[i] == ABSENT:
                continue
            pair = pair_starts[f] + (i - gt_starts[f]) * (end - first) - first
            best = -1
            for j in range(first, end):
                if det_roles[j] == ABSENT or taken[j] or overlaps[pair + j] <= min_overlap:
                    continue
                if best < 0 or scores[j] > scores[best]:
                    best = j
            if best < 0:
                continue
            taken[best] = True
            if gt_roles[i] == COUNTED and det_roles[best] == COUNTED:
                found[n] = scores[best]
                n += 1
    return found[:n]


@njit(cache=True, nogil=True)
def _most_overlapping(pair, first, end, det_roles, scores, threshold, overlaps, min_overlap, taken):
    """The free detection that overlaps an object most; an ignored one only where no counted one overlaps. -1: none."""
    best, best_is_ignored = -1, False
    for j in range(first, end):
        overlap = overlaps[pair + j]
        if overlap <= min_overlap or det_roles[j] == ABSENT or taken[j] or scores[j] < threshold:
            continue
        if det_roles[j] == COUNTED:
            if best < 0 or best_is_ignored or overlap > overlaps[pair + best]:
                best, best_is_ignored = j, False
        elif best < 0:
            best, best_is_ignored = j, True
    return best


@njit(cache=True, nogil=True)
def count_matches(
    gt_roles,
    det_roles,
    scores,
    overlaps,
    min_overlap,
    gt_starts,
    det_starts,
    pair_starts,
    thresholds,
    is_excused,
    gt_alpha,
    det_alpha,
):
    """True positives, false positives and summed orientation similarity at each score threshold.

    Among the detections at or above the threshold each object takes the one that overlaps it most.

    Args:
        gt_roles to pair_starts: as for :func:`matched_scores`.
        thresholds: (T,) scores.
        is_excused: (D,) bool; an unmatched detection that is excused is no false positive.
        gt_alpha: (G,) observation angle in radians.
        det_alpha: (D,) likewise.

    Returns:
        (T, 3) float64: true positives, false positives, sum of (1 + cos(difference of alpha)) / 2 over the true
        positives (Geiger et al., CVPR 2012, section 2.5).
    """
    counts = np.zeros((len(thresholds), 3))
    taken = np.zeros(len(det_roles), np.bool_)
    for f in range(len(gt_starts) - 1):
        first, end = det_starts[f], det_starts[f + 1]
        for t in range(len(thresholds)):
            taken[first:end] = False
            for i in range(gt_starts[f], gt_starts[f + 1]):
                if gt_roles[i] == ABSENT:
                    continue
                pair = pair_starts[f] + (i - gt_starts[f]) * (end - first) - first
                best = _most_overlapping(
                    pair, first, end, det_roles, scores, thresholds[t], overlaps, min_overlap, taken
                )
                if best < 0:
                    continue
                taken[best] = True
                if gt_roles[i] == COUNTED and det_roles[best] == COUNTED:
                    counts[t, 0] += 1
                    counts[t, 2] += (1.0 + np.cos(gt_alpha[i] - det_alpha[best])) / 2.0
            for j in range(first, end):
                if det_roles[j] == COUNTED and scores[j] >= thresholds[t] and not taken[j] and not is_excused[j]:
                    counts[t, 1] += 1
    return counts
