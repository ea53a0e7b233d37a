"""Clouds and split lists of the KITTI object layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kecor.datasets.clouds.likely_form import HEAD, likely_columns
from kecor.errors import DataError
from kecor.files import check_regular, read_text
from kecor.frame_ids import check_frame_id

POINT_BYTES = 16
MAX_CLOUD = 1 << 30
"""Bytes of the largest cloud that is read: 67 million points."""


OTHERS = (".pcd", ".ply", ".npy", ".las", ".laz")
"""Endings of clouds in other formats."""


def read_points(path: str | Path) -> np.ndarray:
    """The (N, 4) float32 points of a ``.bin`` cloud: x, y, z in metres (LiDAR frame), intensity in [0, 1].

    Values are not checked: :func:`not_finite` finds the points that measure nothing.

    Raises:
        DataError: the file is missing, empty, too large, or not a whole number of points.
    """
    path = Path(path)
    if not path.exists():
        raise DataError(f"{path}: cannot be read: no such file{_beside(path)}")
    check_regular(path, MAX_CLOUD)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    if not data:
        raise DataError(f"{path}: is empty")
    if len(data) % POINT_BYTES:
        raise DataError(f"{path}: truncated: {len(data)} bytes are no whole number of points of {POINT_BYTES} bytes")
    return np.frombuffer(data, dtype="<f4").reshape(-1, 4).copy()


def _beside(path: Path) -> str:
    """What is there in place of a missing cloud."""
    others = [path.with_suffix(suffix) for suffix in OTHERS]
    found = next((other.name for other in others if other.exists()), None)
    return f"; there is {found}: write it as float32 x y z intensity, or use data.type: custom" if found else ""


def check_columns(path: str | Path) -> None:
    """Check by its first values that a cloud holds float32 x, y, z, intensity.

    Raises:
        DataError: the file cannot be read, or looks like an array of another type or number of columns.
    """
    path = Path(path)
    size = check_regular(path, MAX_CLOUD)
    with path.open("rb") as stream:
        head = stream.read(HEAD)
    form = likely_columns(head, size)
    if form is not None and form != ("float32", 4):
        raise DataError(
            f"{path}: looks like {form[0]} with {form[1]} columns; expected float32 with 4: x, y, z, intensity; "
            "write the clouds again"
        )


def not_finite(points: np.ndarray) -> np.ndarray:
    """(N,) mask of the points with a NaN or infinite value."""
    return ~np.isfinite(points).all(axis=1)


def split_names(root: str | Path) -> list[str]:
    """The names of the split lists in ``root/ImageSets``, sorted."""
    return sorted(path.stem for path in (Path(root) / "ImageSets").glob("*.txt"))


def read_split(root: str | Path, split: str) -> list[str]:
    """The frame ids of ``root/ImageSets/SPLIT.txt`` as listed; blank lines do not count.

    Raises:
        DataError: the folder or the list is missing (the lists there are get named) or cannot be read, or what it lists
            is no frame id.
    """
    root = Path(root)
    if not root.is_dir():
        raise DataError(f"{root}: no such folder; data/README.md says how data sets are laid out")
    path = root / "ImageSets" / f"{split}.txt"
    if not path.exists():
        raise DataError(f"{path}: no such split list; there are: {', '.join(split_names(root)) or 'none'}")
    return read_ids(path)


def read_ids(path: str | Path) -> list[str]:
    """The frame ids of a text file as listed; blank lines do not count.

    Raises:
        DataError: the file cannot be read, or holds what is no frame id; names the line.
    """
    lines = enumerate(read_text(path).splitlines(), 1)
    return [check_frame_id(text, f"{path}:{number}") for number, line in lines for text in line.split()]


def read_plane(path: str | Path) -> np.ndarray | None:
    """(4,) ground plane a x + b y + c z + d = 0 in the rectified camera frame, a unit normal; None without the file.

    The format is that of the planes published with AVOD (Ku et al., IROS 2018): three header lines, then a b c d.

    Raises:
        DataError: the file does not end in four finite numbers, or the plane is upright.
    """
    path = Path(path)
    if not path.exists():
        return None
    lines = read_text(path).split("\n")
    try:
        plane = np.array(lines[3].split(), np.float64)
    except (IndexError, ValueError) as error:
        raise DataError(f"{path}: no plane on its fourth line: {error}") from error
    if plane.shape != (4,) or not np.isfinite(plane).all() or abs(plane[1]) < 1e-3:
        raise DataError(f"{path}: its fourth line is no ground plane of four numbers: {lines[3]!r}")
    return plane / np.linalg.norm(plane[:3])
