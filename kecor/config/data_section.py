"""The section ``data``: keys that every data set has, and the options of the one that ``type`` names."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

from kecor import registry
from kecor.config.arguments import registered, unknown_key
from kecor.config.settings import DataConfig
from kecor.errors import ConfigError

SHARED = tuple(item.name for item in dataclasses.fields(DataConfig) if item.name != "options")
"""Keys that every data set has."""
GIVEN = ("self", "root", "split", "classes")
"""Arguments of a data set's class that come from the shared keys."""
MAX_CELLS = 100_000
"""Voxels along one axis."""


def with_options(section: Any, where: str) -> Any:
    """The section with the arguments of its data set, defaults included, gathered in ``options``.

    Raises:
        ConfigError: the type is unknown, or a key is; a key that the data set needs is missing.
    """
    if not isinstance(section, dict) or "type" not in section:
        return section
    target = registered(registry.DATASETS, section["type"], "data.type", where)
    parameters = [p for p in inspect.signature(target).parameters.values() if p.name not in GIVEN]
    own = {key: value for key, value in section.items() if key not in SHARED}
    names = [parameter.name for parameter in parameters]
    for key in own:
        if key not in names:
            raise unknown_key(where, f"data.{key}", [*SHARED, *names])
    options = {}
    for parameter in parameters:
        if parameter.name not in own and parameter.default is parameter.empty:
            raise ConfigError(f"{where}: data.{parameter.name} is missing")
        default = list(parameter.default) if isinstance(parameter.default, tuple) else parameter.default
        options[parameter.name] = own.get(parameter.name, default)
    return {**{key: section[key] for key in SHARED if key in section}, "options": options}


def check_volume(data: DataConfig, where: str) -> None:
    """Check classes, range and voxels, whose types do not say everything.

    Raises:
        ConfigError: no class or one twice, a range that is empty, or more voxels along an axis than make sense.
    """
    if not data.classes or len(set(data.classes)) < len(data.classes):
        raise ConfigError(f"{where}: data.classes: got {data.classes}; expected one class or more, each once")
    limits, size = data.point_cloud_range, data.voxels.size
    if len(limits) != 6 or any(low >= high for low, high in zip(limits[:3], limits[3:])):
        raise ConfigError(
            f"{where}: data.point_cloud_range: got {limits}; expected x, y, z of the lowest and of the highest corner"
        )
    if len(size) != 3:
        raise ConfigError(f"{where}: data.voxels.size: got {size}; expected metres along x, y and z")
    cells = [(high - low) / step for low, high, step in zip(limits[:3], limits[3:], size)]
    if max(cells) > MAX_CELLS:
        raise ConfigError(
            f"{where}: data.voxels.size: got {size}, which makes {max(cells):.3g} voxels along one axis of "
            f"data.point_cloud_range; expected at most {MAX_CELLS}"
        )
