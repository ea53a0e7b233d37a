"""Writing point clouds as .pcd files, which every annotation tool opens."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kecor.errors import DataError
from kecor.files import write_atomic


def write_pcd(path: str | Path, points: np.ndarray, intensity: bool = True) -> int:
    """Write a binary .pcd file (version 0.7, float32) of x, y, z and, where there is one, intensity.

    Args:
        path: the file.
        points: (N, >= 3); x, y, z in metres and, in a fourth column, intensity. Further columns are left out.
        intensity: write the fourth column. CVAT showed clouds with that field as empty (cvat-ai/cvat, issue 5755).

    Returns:
        How many points were left out because a coordinate or the intensity is not finite.

    Raises:
        DataError: ``points`` has another shape.
    """
    if points.ndim != 2 or points.shape[1] < 3:
        raise DataError(f"{path}: points of shape {points.shape}; expected (N, 3) or more columns")
    fields = ["x", "y", "z", "intensity"][: 4 if intensity and points.shape[1] > 3 else 3]
    columns = np.asarray(points[:, : len(fields)], dtype="<f4")
    kept = columns[np.isfinite(columns).all(1)]
    header = (
        f"# .PCD v0.7 - Point Cloud Data file format\nVERSION 0.7\nFIELDS {' '.join(fields)}\n"
        f"SIZE{' 4' * len(fields)}\nTYPE{' F' * len(fields)}\nCOUNT{' 1' * len(fields)}\n"
        f"WIDTH {len(kept)}\nHEIGHT 1\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS {len(kept)}\nDATA binary\n"
    )
    write_atomic(path, lambda stream: stream.write(header.encode() + kept.tobytes()))
    return len(columns) - len(kept)
