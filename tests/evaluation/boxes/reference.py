"""The metric ``boxes`` written down a second time, with shapely and plain lists, one threshold at a time."""

from __future__ import annotations

import numpy as np
from shapely.affinity import rotate, translate
from shapely.geometry import box as rectangle


def footprint(b):
    shape = rectangle(-b[3] / 2, -b[4] / 2, b[3] / 2, b[4] / 2)
    return translate(rotate(shape, b[6], origin=(0, 0), use_radians=True), b[0], b[1])


def overlap(view, a, b):
    p, q = footprint(a), footprint(b)
    shared = p.intersection(q).area
    if view == "bev":
        return shared / (p.area + q.area - shared)
    shared *= max(min(a[2] + a[5] / 2, b[2] + b[5] / 2) - max(a[2] - a[5] / 2, b[2] - b[5] / 2), 0)
    return shared / (p.area * a[5] + q.area * b[5] - shared)


def match(view, objects, found, scores, needed):
    table = [[overlap(view, o, d) for o in objects] for d in found]
    order = sorted(range(len(found)), key=lambda j: (-scores[j], -max(table[j], default=0)))
    owner, free = [None] * len(found), set(range(len(objects)))
    for j in order:
        near = [i for i in free if table[j][i] >= needed]
        if near:
            owner[j] = max(near, key=lambda i: table[j][i])
            free.remove(owner[j])
    return owner


def within(b, band):
    return band[0] <= np.hypot(b[0], b[1]) < band[1]


def measure(view, frames, needed, band):
    """AP and recall of ``frames``: (objects, detections, scores) of one class each."""
    rows, n = [], 0
    for objects, found, scores in frames:
        n += sum(within(o, band) for o in objects)
        for j, i in enumerate(match(view, objects, found, scores, needed)):
            if within(found[j] if i is None else objects[i], band):
                rows.append((scores[j], i is not None))
    if n == 0:
        return None, None
    points = []
    for threshold in {score for score, _ in rows}:
        kept = [right for score, right in rows if score >= threshold]
        points.append((sum(kept) / n, sum(kept) / len(kept)))
    best = [max((p for r, p in points if r >= k / 40 - 1e-12), default=0) for k in range(1, 41)]
    return 100 * np.mean(best), 100 * sum(right for _, right in rows) / n
