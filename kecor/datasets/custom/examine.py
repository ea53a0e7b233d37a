"""Check and measure a folder of own sweeps: everything a config has to say of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from kecor.config import load_config
from kecor.datasets.account.classes import unlike
from kecor.datasets.clouds.columns import DEFAULT, check_columns, feature_names
from kecor.datasets.clouds.found_columns import find_columns
from kecor.datasets.convention import apply_readings, check_readings
from kecor.datasets.custom.check import Findings, check_set
from kecor.datasets.custom.intensity import intensity_scale, scale_intensity
from kecor.datasets.custom.layout import find_clouds
from kecor.datasets.custom.measure import Z_SIZE, anchors, volume, voxel_limit, voxel_size
from kecor.datasets.voxels import voxel_counts
from kecor.errors import ConfigError, DataError
from kecor.structures import Frame, as_boxes

CONFIG = "custom/second.yaml"
"""The config whose values the measured ones replace, by default."""


@dataclass
class Outcome:
    """What was found and measured.

    Attributes:
        findings: files and labels.
        boxes: (M, 7) float64 labelled boxes of the classes, as written.
        names: (M,) their classes.
        settings: the sections ``data`` and ``detector`` of a config.
        sweeps: up to 50 labelled sweeps as a detector gets them.
        as_written: the same sweeps with boxes as written.
        voxels: (F,) occupied voxels of each sweep.
    """

    findings: Findings
    boxes: np.ndarray
    names: np.ndarray
    settings: dict[str, Any]
    sweeps: list[Frame]
    as_written: list[Frame]
    voxels: np.ndarray

    @property
    def classes(self) -> list[str]:
        """The classes to train."""
        return self.settings["data"]["classes"]


def examine(
    root: Path,
    columns: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
    label_reading: Sequence[str] = (),
    voxel: float | None = None,
    config: str | Path = CONFIG,
    progress: bool = True,
) -> Outcome:
    """Check and measure a folder of own sweeps. Statistics are those of the frames labelled now.

    Args:
        root: the folder that holds ``points``.
        columns: what a point of a .bin or .npy file holds; by default it is found out.
        classes: classes to train; by default all that are labelled, most frequent first.
        label_reading: how labels are meant that differ from the convention.
        voxel: size of voxels along x and y in metres; by default 0.05, or 0.1 for large volumes, or the config's where
            that is coarser.
        config: the config whose values the measured ones replace; it sets the augmentation.

    Raises:
        DataError: no cloud can be read, no object is labelled, or none of one class.
        ConfigError: ``columns``, ``label_reading``, ``voxel`` or ``config`` cannot be used.
    """
    check_readings(label_reading)
    base = load_config(config).data
    if voxel is not None and not 0.01 <= voxel <= 2:
        raise ConfigError(f"voxel size: {voxel:g} m is not between 0.01 and 2 m")
    columns = check_columns(columns) or find_columns(next(iter(find_clouds(root).values())))
    findings = check_set(root, columns, progress)
    if not findings.points:
        raise DataError(f"none of the {len(findings.clouds)} clouds of {root} can be read: {findings.faults[-1]}")
    chosen = _choose(root, classes, findings)
    boxes, names = findings.boxes()
    wanted = np.isin(names, chosen)
    boxes, names = boxes[wanted], names[wanted]
    as_written = [_only(frame, chosen) for frame in findings.sweeps]
    scale = intensity_scale(frame.points for frame in as_written) if as_written else 1.0
    sweeps = [_as_trained(frame, label_reading, scale) for frame in as_written]
    meant = apply_readings(boxes, label_reading)
    measured, voxels = _volume(meant, sweeps, voxel or max(voxel_size(meant), base.voxels.size[0]))
    data = {
        **{"type": "custom", "root": str(root), "classes": chosen},
        **{"columns": columns or list(DEFAULT), "intensity": scale, "label_reading": list(label_reading)},
        **measured,
        "augmentation": [_pasting(step, chosen) for step in base.augmentation],
    }
    settings = {"data": data, "detector": _detector(anchors(meant, names, chosen), data["columns"])}
    return Outcome(findings, boxes, names, settings, sweeps, as_written, voxels)


def _pasting(step: dict[str, Any], classes: Sequence[str]) -> dict[str, Any]:
    """A step of the augmentation; where it pastes objects, as many of each class as of the one pasted most."""
    return {**step, "counts": dict.fromkeys(classes, max(step["counts"].values()))} if "counts" in step else step


def _volume(boxes: np.ndarray, sweeps: Sequence[Frame], voxel: float) -> tuple[dict[str, Any], np.ndarray]:
    """The keys of ``data`` that describe space, and the (F,) occupied voxels of each sweep."""
    size = [voxel, voxel, Z_SIZE]
    space = volume(boxes, size)
    counts = voxel_counts(sweeps, space, size)
    limit = voxel_limit(counts)
    voxels = {"size": size, "max_points": 5, "max_train": limit, "max_test": limit}
    return {"point_cloud_range": space, "voxels": voxels}, counts


def _detector(found: list[dict[str, Any]], columns: Sequence[str]) -> dict[str, Any]:
    """The keys of ``detector``: anchors and, where they are not the usual four, the number of point features."""
    n_features = len(feature_names(columns))
    extra = {} if n_features == len(DEFAULT) else {"backbone_3d": {"in_channels": n_features}}
    return {**extra, "dense_head": {"anchors": found}}


def _choose(root: Path, classes: Sequence[str] | None, findings: Findings) -> list[str]:
    """The classes to train, each of which has an object."""
    found = findings.classes()
    if not found:
        where = root / "labels"
        first = f"; the first fault: {findings.faults[0]}" if findings.faults else ""
        raise DataError(f"{where}: no object is labelled: volume and anchors are measured on labelled boxes{first}")
    for name in classes or []:
        if name not in found:
            raise DataError(f"{root / 'labels'}: no object of class {name!r}{unlike(name, found)}")
    return list(classes or found)


def _only(frame: Frame, classes: Sequence[str]) -> Frame:
    wanted = np.isin(frame.names, classes)
    return replace(frame, boxes=frame.boxes[wanted], names=frame.names[wanted])


def _as_trained(frame: Frame, label_reading: Sequence[str], scale: float) -> Frame:
    boxes = as_boxes(apply_readings(frame.boxes, label_reading), f"frame {frame.frame_id}")
    return replace(frame, points=scale_intensity(frame.points.copy(), scale), boxes=boxes)
