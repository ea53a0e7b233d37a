"""What the numbers of a point are called."""

from __future__ import annotations

from collections.abc import Sequence

from kecor.errors import ConfigError

DEFAULT = ("x", "y", "z", "intensity")
SKIP = "_"
"""Column of a .bin or .npy file that is not used."""
INTENSITY = ("intensity", "i", "reflectivity", "reflectance", "remission")
"""Names under which sensors and tools write the strength of the return; without it, intensity is 0."""


def feature_names(columns: Sequence[str]) -> list[str]:
    """Columns of the points a data set gives: x, y, z, intensity, then the others named in ``columns``."""
    return [*DEFAULT, *(name for name in columns if name not in (*DEFAULT, SKIP))]


def check_columns(columns: Sequence[str] | None) -> list[str] | None:
    """``columns``, if they can be used: names, x, y and z among them, none twice.

    Raises:
        ConfigError: otherwise.
    """
    if columns is None:
        return None
    names = [columns] if isinstance(columns, str) else list(columns)
    twice = [name for name in names if name != SKIP and names.count(name) > 1]
    if not all(isinstance(name, str) for name in names) or twice or not {"x", "y", "z"} <= set(names):
        raise ConfigError(f"data.columns: expected names, x, y and z among them, each once, got {columns!r}")
    return names
