"""Waymo's metrics once more, in float64: plain loops, shapely's polygons and scipy's assignment."""

import math

import numpy as np
from scipy.optimize import linear_sum_assignment
from shapely import affinity, geometry

NEEDED = {1: 0.7, 2: 0.5, 3: 0.5, 4: 0.5}


def iou(a, b):
    if min(*a[3:6], *b[3:6]) <= 0.01 or max(*a[3:6], *b[3:6]) >= 1e6:
        return 0.0
    height = min(a[2] + a[5] / 2, b[2] + b[5] / 2) - max(a[2] - a[5] / 2, b[2] - b[5] / 2)
    if height <= 0:
        return 0.0
    shared = _footprint(a).intersection(_footprint(b)).area * height
    return shared / (math.prod(a[3:6]) + math.prod(b[3:6]) - shared)


def _footprint(box):
    plain = geometry.box(-box[3] / 2, -box[4] / 2, box[3] / 2, box[4] / 2)
    turned = affinity.rotate(plain, box[6], origin=(0, 0), use_radians=True)
    return affinity.translate(turned, box[0], box[1])


def shard_of(breakdown, box, kind):
    if breakdown == "ONE_SHARD":
        return 0
    if breakdown == "OBJECT_TYPE":
        return kind - 1
    distance = math.hypot(*box[:3])
    return 3 * (kind - 1) + (0 if distance < 30 else 1 if distance < 50 else 2)


def counts(gt, predictions, breakdown, shard, level):
    """(101, 4): true positives, false positives, misses, summed heading accuracy at each cut-off."""
    labels = []
    for frame, box, kind, difficulty, points in zip(*vars(gt).values()):
        if points > 0 and shard_of(breakdown, box, kind) == shard:
            labels.append((frame, box, kind, difficulty or (2 if points <= 5 else 1)))
    found = [row for row in zip(*vars(predictions).values()) if shard_of(breakdown, row[1], row[2]) == shard]
    overlaps = {
        (i, j): iou(p[1], g[1])
        for i, p in enumerate(found)
        for j, g in enumerate(labels)
        if p[0] == g[0] and p[2] == g[2]
    }
    overlaps = {pair: value for pair, value in overlaps.items() if value >= NEEDED[found[pair[0]][2]]}
    return np.array([_at(np.float32(i * 0.01), labels, found, overlaps, level) for i in range(101)])


def _at(cutoff, labels, found, overlaps, level):
    kept = [i for i, p in enumerate(found) if p[3] >= cutoff]
    weights = np.array([[overlaps.get((i, j), 0.0) for j in range(len(labels))] for i in kept])
    weights = weights.reshape(len(kept), len(labels))
    pairs = [(kept[r], c) for r, c in zip(*linear_sum_assignment(weights, maximize=True)) if weights[r, c] > 0]
    turns = [math.remainder(found[i][1][6] - labels[j][1][6], 2 * math.pi) for i, j in pairs]
    matched, matched_labels = ({pair[side] for pair in pairs} for side in (0, 1))
    fp = sum(not found[i][4] for i in kept if i not in matched)
    fn = sum(g[3] <= level for j, g in enumerate(labels) if j not in matched_labels)
    return len(pairs), fp, fn, sum(1 - abs(turn) / math.pi for turn in turns)


def area(hits, tp, fp, fn):
    """Area below the curve, from the description of ``ComputeMeanAveragePrecision``; ``hits`` is tp, or weighted."""
    recall = tp / np.maximum(tp + fn, 1)
    precision = hits / np.maximum(tp + fp, 1)
    total, reached, before, right = 0.0, 0.0, None, None
    for r in sorted(set(recall[recall > 0]), reverse=True):
        if right is not None:
            total += _strip(right - r, reached, max(reached, precision[recall == r].max()))
        reached = max(reached, precision[recall == r].max())
        before, right = reached, r
    return total + before * right if right is not None else 0.0


def _strip(width, right_height, left_height):
    """Between two recalls: level at the right height in steps of 0.05, the last step of which slants."""
    level = 0.0
    while width - level > 0.05 + 1e-6:
        level += 0.05
    return right_height * level + (width - level) * (right_height + left_height) / 2
