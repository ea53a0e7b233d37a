"""KITTI's rules written down a second time, with plain lists and shapely, one frame and one threshold at a time."""

import numpy as np
from shapely.geometry import Polygon

HEIGHT, OCCLUSION, TRUNCATION = (40, 25, 25), (0, 1, 2), (0.15, 0.3, 0.5)


def footprint(o, i):
    _, width, length = o.dimensions[i]
    c, s = np.cos(o.rotation_y[i]), np.sin(o.rotation_y[i])
    x, _, z = o.location[i]
    return Polygon(
        [
            (x + a * length / 2 * c + b * width / 2 * s, z - a * length / 2 * s + b * width / 2 * c)
            for a, b in ((1, 1), (1, -1), (-1, -1), (-1, 1))
        ]
    )


def image_share(a, b):
    width, height = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    return max(width, 0) * max(height, 0)


def area(b):
    return (b[2] - b[0]) * (b[3] - b[1])


def overlap(metric, gt, i, det, j):
    if metric == "bbox":
        shared = image_share(gt.bbox[i], det.bbox[j])
        return shared / (area(gt.bbox[i]) + area(det.bbox[j]) - shared)
    p, q = footprint(gt, i), footprint(det, j)
    shared = p.intersection(q).area
    if metric == "bev":
        return shared / (p.area + q.area - shared)
    bottom, top = (
        min(gt.location[i, 1], det.location[j, 1]),
        max(gt.location[i, 1] - gt.dimensions[i, 0], det.location[j, 1] - det.dimensions[j, 0]),
    )
    shared *= max(bottom - top, 0)
    return shared / (np.prod(gt.dimensions[i]) + np.prod(det.dimensions[j]) - shared)


def roles(gt, det, name, level):
    neighbour = {"Car": "Van", "Pedestrian": "Person_sitting"}.get(name)
    gt_roles, det_roles = [], []
    for i in range(len(gt)):
        hard = (
            gt.bbox[i, 3] - gt.bbox[i, 1] <= HEIGHT[level]
            or gt.occluded[i] > OCCLUSION[level]
            or gt.truncated[i] > TRUNCATION[level]
        )
        own = gt.names[i] == name
        gt_roles.append("counts" if own and not hard else "ignored" if own or gt.names[i] == neighbour else "absent")
    for j in range(len(det)):
        low = det.bbox[j, 3] - det.bbox[j, 1] < HEIGHT[level]
        det_roles.append("ignored" if low else "counts" if det.names[j] == name else "absent")
    return gt_roles, det_roles


def match(gt, det, gt_roles, det_roles, overlaps, needed, threshold):
    """Pairs (object, detection); by score without a threshold, else by overlap."""
    pairs, free = [], [j for j in range(len(det)) if det_roles[j] != "absent"]
    if threshold is not None:
        free = [j for j in free if det.scores[j] >= threshold]
    for i in range(len(gt)):
        near = [j for j in free if overlaps[i][j] > needed]
        if gt_roles[i] == "absent" or not near:
            continue
        if threshold is None:
            best = max(near, key=lambda j: det.scores[j])
        else:
            counted = [j for j in near if det_roles[j] == "counts"]
            best = max(counted, key=lambda j: overlaps[i][j]) if counted else near[0]
        free.remove(best)
        if gt_roles[i] == det_roles[best] == "counts":
            pairs.append((i, best))
    excess = [j for j in free if det_roles[j] == "counts"]
    return pairs, excess


def curves(frames, name, level, metric, needed):
    """(41,) precision and (41,) orientation similarity."""
    work, scores, n_gt = [], [], 0
    for gt, det in frames:
        gt_roles, det_roles = roles(gt, det, name, level)
        overlaps = [
            [overlap(metric, gt, i, det, j) if gt.names[i] != "DontCare" else 0 for j in range(len(det))]
            for i in range(len(gt))
        ]
        work.append((gt, det, gt_roles, det_roles, overlaps))
        n_gt += gt_roles.count("counts")
        scores += [det.scores[j] for _, j in match(gt, det, gt_roles, det_roles, overlaps, needed, None)[0]]
    scores.sort(reverse=True)
    precision, similarity = np.zeros(41), np.zeros(41)
    k = 0
    for n, score in enumerate(scores, 1):
        if n < len(scores) and (n + 1) / n_gt - k / 40 < k / 40 - n / n_gt:
            continue
        right = wrong = alike = 0
        for gt, det, gt_roles, det_roles, overlaps in work:
            pairs, excess = match(gt, det, gt_roles, det_roles, overlaps, needed, score)
            regions = [gt.bbox[i] for i in range(len(gt)) if gt.names[i] == "DontCare"] if metric == "bbox" else []
            right += len(pairs)
            alike += sum((1 + np.cos(gt.alpha[i] - det.alpha[j])) / 2 for i, j in pairs)
            for j in excess:
                wrong += all(image_share(det.bbox[j], r) / area(det.bbox[j]) <= needed for r in regions)
        if right + wrong:
            precision[k], similarity[k] = right / (right + wrong), alike / (right + wrong)
        k += 1
    return [np.array([c[i:].max() for i in range(41)]) for c in (precision, similarity)]
