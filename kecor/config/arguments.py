"""Checking a section of a config against the class or function that takes its keys."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterable
from typing import Any

from mmengine.registry import Registry

from kecor import registry
from kecor.config.value_types import check_types
from kecor.errors import ConfigError

TYPED = {
    "detector": registry.DETECTORS,
    "acquisition": registry.ACQUISITIONS,
    "evaluation": registry.METRICS,
    "data.augmentation": registry.TRANSFORMS,
}
"""Sections whose ``type`` names a registered class."""
NOT_KEYS = ("self", "data")
"""Parameters that the builder passes."""


def unknown_key(where: str, key: str, known: Iterable[str]) -> ConfigError:
    """The error for a key that is none of the ``known`` ones of its section; names the nearest."""
    section, _, name = key.rpartition(".")
    return ConfigError(f"{where}: unknown key {key!r}; {hint(name or section, known)}")


def hint(name: str, known: Iterable[str]) -> str:
    """The nearest of the ``known`` names, or all of them."""
    listed = sorted(known)
    near = difflib.get_close_matches(name, listed, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else f"expected one of: {', '.join(listed) or 'none'}"


def check_typed_sections(values: dict[str, Any], where: str) -> None:
    """Check every section of :data:`TYPED` against the constructor of its class.

    Raises:
        ConfigError: a ``type`` is missing or unknown, or a key is.
    """
    for key, known in TYPED.items():
        section: Any = values
        for part in key.split("."):
            section = section.get(part) if isinstance(section, dict) else None
        for number, item in enumerate(section if isinstance(section, list) else []):
            _check_typed(item, known, f"{key}[{number}]", where)
        if isinstance(section, dict):
            _check_typed(section, known, key, where)


def registered(known: Registry, name: Any, key: str, where: str) -> type:
    """The class registered as ``name``.

    Raises:
        ConfigError: there is none; names the nearest.
    """
    known.import_from_location()
    if not isinstance(name, str) or name not in known.module_dict:
        raise ConfigError(f"{where}: {key}: got {name!r}; {hint(str(name), known.module_dict)}")
    return known.module_dict[name]


def check_arguments(target: Callable[..., Any], given: dict[str, Any], key: str, where: str = "config") -> None:
    """Check that ``target`` takes the arguments of section ``key``, of these types, and gets all it needs.

    Raises:
        ConfigError: an unknown argument (the nearest known one is named), a missing one, or one of a wrong type.
    """
    if not isinstance(given, dict):
        raise ConfigError(f"{where}: {key}: got {given!r:.80}; expected a section of keys")
    parameters = {p.name: p for p in inspect.signature(target).parameters.values() if p.name not in NOT_KEYS}
    for name in given:
        if name not in parameters:
            raise unknown_key(where, f"{key}.{name}" if key else name, parameters)
    for name, parameter in parameters.items():
        if parameter.default is parameter.empty and name not in given:
            raise ConfigError(f"{where}: {key}.{name} is missing")
    check_types(target, given, key, where)


def _check_typed(section: Any, known: Registry, key: str, where: str) -> None:
    if not isinstance(section, dict) or "type" not in section:
        raise ConfigError(f"{where}: {key}.type is missing")
    target = registered(known, section["type"], f"{key}.type", where)
    check_arguments(target, {k: v for k, v in section.items() if k != "type"}, key, where)
