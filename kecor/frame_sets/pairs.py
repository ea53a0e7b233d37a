"""Reading a pool and labelled frames, checked against each other and against the needs of a method."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from kecor.errors import DataError
from kecor.frame_sets.files import read_frames
from kecor.frame_sets.schema import ARRAYS
from kecor.structures import FrameSet


def read_pair(pool_path: Path, labelled_path: Path, needs: frozenset[str], reader: str) -> tuple[FrameSet, FrameSet]:
    """Read the pool and the labelled frames for a method.

    If RoI features are needed and the files contain only embeddings, these are used as one RoI per frame.

    Args:
        pool_path, labelled_path: see :func:`~kecor.frame_sets.files.read_frames`.
        needs: what the method needs: ``detections`` and ``dropout_passes`` (logits and/or boxes) in the pool,
            ``roi_features`` and ``embedding`` in both. ``roi_scores`` may be missing: detections are counted then.
        reader: the method's name, for error messages.

    Raises:
        DataError: a file is wrong, something needed is missing, a frame is in both files, rows have different shapes in
            them, or the pool contains targets.
    """
    pool, labelled = read_frames(pool_path), read_frames(labelled_path)
    for name in ("targets", "objects", "true_counts"):
        if name in pool.feats:
            raise DataError(f"{pool_path}: {name}: only labelled frames have {name}; remove them from the pool")
    row_of = {frame_id: row for row, frame_id in enumerate(labelled.ids.tolist())}
    for row, frame_id in enumerate(pool.ids.tolist()):
        if frame_id in row_of:
            other = f"row {row_of[frame_id]} of {labelled_path}"
            raise DataError(f"{pool_path}: ids: row {row}: {frame_id!r} is already labelled: it is also {other}")
    _check_axes(pool, labelled, pool_path, labelled_path)
    if "detections" in needs and len(pool) and not pool.detections:
        arrays = "det_offsets, det_boxes, det_scores and det_labels"
        raise DataError(f"{pool_path}: {arrays} are missing: {reader} needs detections")
    for need in ("roi_features", "embedding"):
        if need in needs:
            found = _common_feature(need, {pool_path: pool, labelled_path: labelled}, reader)
            if found != need:
                pool, labelled = _as_rois(pool), _as_rois(labelled)
    if "dropout_passes" in needs and len(pool) and not {"pass_logits", "pass_boxes"} & pool.feats.keys():
        arrays = " or ".join(f"{name} {ARRAYS[name].shape}" for name in ("pass_logits", "pass_boxes"))
        raise DataError(f"{pool_path}: {arrays} is missing: {reader} needs dropout passes")
    return pool, labelled


def _check_axes(pool: FrameSet, labelled: FrameSet, pool_path: Path, labelled_path: Path) -> None:
    """Check that arrays in both sets have rows of the same shape."""
    shapes = [{name: array.shape[1:] for name, array in frames.feats.items()} for frames in (pool, labelled)]
    for frames, shape in zip((pool, labelled), shapes):
        for one in frames.detections[:1]:
            shape["det_boxes"] = one.boxes.shape[1:]
            if one.logits is not None:
                shape["det_logits"] = one.logits.shape[1:]
    for name, row in shapes[0].items():
        other = shapes[1].get(name, row)
        if other != row:
            raise DataError(f"{labelled_path}: {name}: rows of shape {other}, but {row} in {pool_path}")


def _common_feature(need: str, sets: dict[Path, FrameSet], reader: str) -> str:
    """The feature that both sets have for ``need``: itself or, instead of RoI features, the embedding."""
    choices = ("roi_features", "embedding") if need == "roi_features" else (need,)
    for name in choices:
        present = [path for path, frames in sets.items() if name in frames.feats]
        if len(present) == len(sets):
            return name
        if present:
            lacking = next(path for path in sets if path not in present)
            raise DataError(f"{lacking}: {name} is missing: {reader} needs it, and {present[0]} has it")
    wanted = " or ".join(f"{name} {ARRAYS[name].shape}" for name in choices)
    raise DataError(f"{next(iter(sets))}: {wanted} is missing: {reader} needs it")


def _as_rois(frames: FrameSet) -> FrameSet:
    """``frames`` with the embedding as the feature of a single RoI, and targets (L, T) as those of that RoI."""
    of_rois = ("roi_scores", "roi_labels", "roi_logits", "objects")  # of other RoIs
    feats = {name: array for name, array in frames.feats.items() if name not in of_rois}
    feats["roi_features"] = feats["embedding"][:, None]
    feats["roi_mask"] = np.ones((len(frames), 1), bool)
    if "targets" in feats and feats["targets"].ndim == 2:
        feats["targets"] = feats["targets"][:, None]
    return replace(frames, feats=feats)
