"""Small sets of frames that carry everything an acquisition function may ask for."""

import dataclasses

import numpy as np

from kecor.ntk import KernelOptions
from kecor.structures import Detections, FrameSet

N_ROIS, CHANNELS, CLASSES, PASSES = 6, 8, 3, 4


def detections(rng, n_boxes):
    logits = rng.normal(scale=2, size=(n_boxes, CLASSES)).astype(np.float32)
    boxes = np.concatenate(
        [rng.uniform(0, 40, (n_boxes, 3)), rng.uniform(1, 4, (n_boxes, 3)), np.zeros((n_boxes, 1))], 1
    )
    scores = 1 / (1 + np.exp(-logits.max(1))) if n_boxes else np.zeros(0)
    labels = logits.argmax(1) if n_boxes else np.zeros(0, int)
    return Detections(boxes.astype(np.float32), scores, labels, logits, rng.integers(1, 90, n_boxes))


def dropout_passes(rng, roi_logits):
    """Logits and boxes of passes that scatter more in some RoIs than in others."""
    shape = (*roi_logits.shape[:2], PASSES)
    spread = rng.uniform(0.05, 1, (*shape[:2], 1, 1))
    boxes = np.concatenate([rng.uniform(0, 40, (*shape[:2], 3)), rng.uniform(1, 4, (*shape[:2], 4))], 2)[:, :, None]
    moved = np.concatenate([boxes[..., :3], np.log(boxes[..., 3:6]), boxes[..., 6:]], 3)
    moved = moved + 0.2 * spread * rng.normal(size=(*shape, 7))
    moved[..., 3:6] = np.exp(moved[..., 3:6])
    logits = roi_logits[:, :, None] + spread * rng.normal(size=(*shape, CLASSES))
    return {"pass_logits": logits.astype(np.float32), "pass_boxes": moved.astype(np.float32)}


def world(n, seed=0, prefix="p", labelled=False, centres=None):
    """``n`` frames, each fifth without boxes and each seventh without RoIs; or tight clusters around ``centres``."""
    rng = np.random.default_rng(seed)
    if centres is None:
        features = rng.normal(size=(n, N_ROIS, CHANNELS)) + rng.normal(size=(n, 1, CHANNELS))
        mask = np.arange(N_ROIS) < rng.integers(1, N_ROIS + 1, size=(n, 1))
        mask[3::7] = False
        found = [detections(rng, 0 if i % 5 == 2 else int(rng.integers(1, 9))) for i in range(n)]
    else:
        pattern = np.random.default_rng(5).normal(scale=0.5, size=(N_ROIS, CHANNELS))
        features = centres[:, None] + pattern + rng.normal(scale=0.02, size=(n, N_ROIS, CHANNELS))
        mask = np.ones((n, N_ROIS), bool)
        found = [detections(np.random.default_rng(0), 3) for _ in range(n)]
    feats = {
        "roi_features": features.astype(np.float32),
        "roi_mask": mask,
        "roi_scores": rng.uniform(0.1, 1, size=(n, N_ROIS)).astype(np.float32),
        "embedding": features.mean(1).astype(np.float32),
    }
    law = np.random.default_rng(6)
    feats["roi_logits"] = (features @ law.normal(size=(CHANNELS, CLASSES))).astype(np.float32)
    if centres is not None:
        feats["roi_scores"][:] = 1
        feats["roi_logits"][:] = law.normal(size=(N_ROIS, CLASSES))  # clusters differ in their features alone
    feats |= dropout_passes(np.random.default_rng([seed, 1]), feats["roi_logits"])
    if labelled:
        mixing = np.random.default_rng(7).normal(size=(CHANNELS, CLASSES + 7))
        feats["targets"] = np.tanh(features @ mixing).astype(np.float32)
    return FrameSet([f"{prefix}{i:04d}" for i in range(n)], feats, found)


def clusters(per_cluster=5):
    """A pool of four tight clusters, equally far from each other, and labelled frames that all lie in the first."""
    corners = np.eye(CHANNELS)[:4] * 4
    pool = world(4 * per_cluster, 1, centres=np.repeat(corners, per_cluster, 0))
    labelled = world(8, 2, "l", labelled=True, centres=np.repeat(corners[:1], 8, 0))
    return pool, labelled


def take(frames, rows):
    """The frames at ``rows``, in that order; ids stay with their frames."""
    rows = np.asarray(rows, int)
    feats = {name: array[rows] for name, array in frames.feats.items()}
    return FrameSet(frames.ids[rows], feats, [frames.detections[i] for i in rows])


def with_copy(frames, row, new_id):
    """The frames with a copy of one of them at the end under another id."""
    both = {name: np.concatenate([array, array[[row]]]) for name, array in frames.feats.items()}
    return FrameSet([*frames.ids, new_id], both, [*frames.detections, frames.detections[row]])


def nested_kernel(options):
    """Constructor arguments in which the attributes of KernelOptions stand in the section ``kernel``."""
    names = {field.name for field in dataclasses.fields(KernelOptions)}
    inner = {"type": options.get("kernel", "ntk"), **{key: value for key, value in options.items() if key in names}}
    return {**{key: value for key, value in options.items() if key not in names}, "kernel": inner}
