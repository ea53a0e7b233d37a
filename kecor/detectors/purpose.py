"""What a detector is made for. Stored with its weights, so that no other detector is given them by mistake."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kecor import __version__
from kecor.config import DataConfig
from kecor.errors import CheckpointError

PURPOSE = "purpose"
"""The entry of a checkpoint's ``meta``."""
VERSION = "kecor"


def purpose_of(detector_type: str, data: DataConfig) -> dict[str, Any]:
    """The settings that give a detector's outputs their meaning, as plain values, and the version of kecor.

    The number of point features is not among them: weights of another number do not fit.
    """
    return {
        "detector": detector_type,
        "classes": list(data.classes),
        "point_cloud_range": [float(value) for value in data.point_cloud_range],
        "voxel_size": [float(value) for value in data.voxels.size],
        VERSION: __version__,
    }


def check_purpose(meta: object, wanted: Mapping[str, Any], path: str | Path) -> None:
    """Check that the weights in ``path`` were trained for what a detector is made for; versions may differ.

    Checkpoints that do not say it, from OpenPCDet or an older kecor, pass.

    Args:
        meta: of the checkpoint.
        wanted: the purpose of the detector; empty if unknown.
        path: named in errors.

    Raises:
        CheckpointError: names what differs.
    """
    stored = meta.get(PURPOSE) if isinstance(meta, Mapping) else None
    if not isinstance(stored, Mapping):
        return
    differing = [key for key in wanted if key != VERSION and stored.get(key) != wanted[key]]
    if differing:
        said = "; ".join(f"{key}: trained for {stored.get(key)}, the config says {wanted[key]}" for key in differing)
        raise CheckpointError(f"{path}: was trained for something else: {said}; use the config it was trained with")
