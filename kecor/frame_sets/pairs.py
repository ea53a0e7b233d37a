"""Pool and labelled frames from files, checked against one another and against what a method reads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from kecor.errors import DataError
from kecor.frame_sets.files import read_frames
from kecor.frame_sets.schema import ARRAYS
from kecor.structures import FrameSet


def read_pair(pool_path: Path, labelled_path: Path, needs: frozenset[str], reader: str) -> tuple[FrameSet, FrameSet]:
    """The pool and the labelled frames of two files, fit for a method.

    Where RoI features are needed and the files hold embeddings alone, these stand in as one RoI a frame.

    Args:
        pool_path, labelled_path: as :func:`~kecor.frame_sets.files.read_frames` takes them.
        needs: what must be there, of ``detections`` and ``dropout_passes``, which are logits, boxes or both (in the
            pool), ``roi_features`` and ``embedding`` (in both).
        reader: who needs it, for errors.

    Raises:
        DataError: a file is wrong, something that is needed is missing, a frame is in both, the two disagree in the
            shape of a row, or the pool carries targets.
    """
    pool, labelled = read_frames(pool_path), read_frames(labelled_path)
    if "targets" in pool.feats:
        raise DataError(f"{pool_path}: targets: only labelled frames have them; leave them out of the pool")
    row_of = {frame_id: row for row, frame_id in enumerate(labelled.ids.tolist())}
    for row, frame_id in enumerate(pool.ids.tolist()):
        if frame_id in row_of:
            other = f"row {row_of[frame_id]} of {labelled_path}"
            raise DataError(f"{pool_path}: ids: row {row}: {frame_id!r} is labelled: it is also {other}")
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
    """Check that arrays which both sets have agree in the shape of a row."""
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
    """Which feature serves ``need`` in both sets: itself or, in place of RoI features, the embedding."""
    serving = ("roi_features", "embedding") if need == "roi_features" else (need,)
    for name in serving:
        having = [path for path, frames in sets.items() if name in frames.feats]
        if len(having) == len(sets):
            return name
        if having:
            lacking = next(path for path in sets if path not in having)
            raise DataError(f"{lacking}: {name} is missing: {reader} needs it, and {having[0]} has it")
    wanted = " or ".join(f"{name} {ARRAYS[name].shape}" for name in serving)
    raise DataError(f"{next(iter(sets))}: {wanted} is missing: {reader} needs it")


def _as_rois(frames: FrameSet) -> FrameSet:
    """``frames`` with their embedding as the feature of their one RoI, and targets (L, T) as those of that RoI."""
    feats = dict(frames.feats)
    feats["roi_features"] = feats["embedding"][:, None]
    feats["roi_mask"] = np.ones((len(frames), 1), bool)
    if "targets" in feats and feats["targets"].ndim == 2:
        feats["targets"] = feats["targets"][:, None]
    return replace(frames, feats=feats)
