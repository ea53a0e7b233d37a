"""Which label files a delivery holds."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from kecor.errors import DataError


def subfolder(folder: Path, *names: str) -> Path:
    """The first of the folders ``names`` that ``folder`` holds.

    Raises:
        DataError: none is there.
    """
    for name in names:
        if (folder / name).is_dir():
            return folder / name
    state = "" if folder.is_dir() else " (it is no folder itself)"
    raise DataError(f"{folder}: holds no folder {' or '.join(names)}{state}; name the folder that the tool exported")


def label_files(folder: Path, *patterns: str) -> list[Path]:
    """Files of ``folder`` that match, sorted; those whose name starts with a dot or underscore are no labels.

    Raises:
        DataError: ``folder`` is no folder, or a file is a link that leaves it or leads nowhere.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: is no folder; name the folder that the tool exported")
    found = {path for pattern in patterns for path in folder.glob(pattern) if path.name[0] not in "._"}
    return sorted(_inside(found, folder))


def _inside(paths: Iterable[Path], folder: Path) -> Iterable[Path]:
    root = folder.resolve()
    for path in paths:
        try:
            inside = root in path.resolve().parents
        except RuntimeError as error:  # before Python 3.13, a link to itself
            raise DataError(f"{path}: is a link to itself; replace it by the file") from error
        if not inside:
            raise DataError(f"{path}: is a link that leaves {folder}; replace it by the file")
        yield path
