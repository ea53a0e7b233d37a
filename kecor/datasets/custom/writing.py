"""Write a data set of own sweeps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from kecor.datasets.clouds.columns import DEFAULT
from kecor.datasets.custom.labels import format_labels
from kecor.datasets.custom.layout import check_id
from kecor.files import write_atomic, write_text
from kecor.structures import Frame


def write_custom_set(
    root: str | Path,
    frames: Iterable[Frame],
    splits: Mapping[str, Sequence[str]] | None = None,
    form: str = "bin",
    columns: Sequence[str] = DEFAULT,
    unlabelled: Iterable[str] = (),
    poses: Mapping[str, np.ndarray] | None = None,
    timestamps: Mapping[str, float] | None = None,
) -> None:
    """Write ``frames`` as ``points/ID.FORM`` and ``labels/ID.txt``, each file whole or not at all.

    Args:
        root: folder to write; made where it is missing.
        frames: sweeps with their labels; they are written one by one as they come.
        splits: name -> ids, for ``ImageSets``.
        form: ``bin``, ``npy`` or ``pcd`` (binary).
        columns: names of the points' columns, for the header of ``pcd``.
        unlabelled: ids that get no label file.
        poses: id -> (3, 4) or (4, 4) from LiDAR to sequence, for ``poses.txt``.
        timestamps: id -> seconds, for ``timestamps.txt``.

    Raises:
        DataError: an id would lead out of the folder.
        ValueError: an unknown ``form``.
    """
    if form not in ("bin", "npy", "pcd"):
        raise ValueError(f"form: {form!r} is none of bin, npy, pcd")
    root, hidden = Path(root), set(unlabelled)
    for frame in frames:
        frame_id = check_id(frame.frame_id, "write_custom_set")
        _write_cloud(root / "points" / f"{frame_id}.{form}", frame.points, columns)
        if frame_id not in hidden:
            write_text(root / "labels" / f"{frame_id}.txt", format_labels(frame.boxes, frame.names.tolist()))
    for name, ids in (splits or {}).items():
        write_text(root / "ImageSets" / f"{name}.txt", "".join(f"{frame_id}\n" for frame_id in ids))
    if poses:
        rows = {frame_id: np.asarray(pose, np.float64)[:3].ravel() for frame_id, pose in poses.items()}
        _write_rows(root / "poses.txt", rows)
    if timestamps:
        _write_rows(root / "timestamps.txt", {frame_id: np.array([t]) for frame_id, t in timestamps.items()})


def _write_rows(path: Path, rows: Mapping[str, np.ndarray]) -> None:
    write_text(path, "".join(f"{key} {' '.join(f'{v:.16g}' for v in row)}\n" for key, row in rows.items()))


def _write_cloud(path: Path, points: np.ndarray, columns: Sequence[str]) -> None:
    points = np.ascontiguousarray(points, "<f4")

    def write(stream: BinaryIO) -> None:
        if path.suffix == ".npy":
            np.save(stream, points, allow_pickle=False)
            return
        if path.suffix == ".pcd":
            stream.write(_pcd_header(len(points), columns))
        stream.write(points.tobytes())

    write_atomic(path, write)


def _pcd_header(n: int, columns: Sequence[str]) -> bytes:
    width = len(columns)
    fields = f"FIELDS {' '.join(columns)}\nSIZE{' 4' * width}\nTYPE{' F' * width}\nCOUNT{' 1' * width}\n"
    return f"VERSION 0.7\n{fields}WIDTH {n}\nHEIGHT 1\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS {n}\nDATA binary\n".encode()
