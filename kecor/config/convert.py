"""Plain values made into the typed settings of :mod:`.settings`."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from typing import Any

from kecor.config.arguments import unknown_key
from kecor.config.settings import Range
from kecor.errors import ConfigError

LARGEST = 1e12
"""No number of a config is larger, whatever it means."""


def fill(cls: type, values: Any, section: str, where: str) -> Any:
    """The dataclass ``cls`` made of the keys of a section.

    Raises:
        ConfigError: a key is unknown or missing, or a value has the wrong type or lies outside its range.
    """
    if not isinstance(values, dict):
        raise ConfigError(f"{where}: {section or 'config'}: got {values!r}; expected a section of keys")
    hints = typing.get_type_hints(cls, include_extras=True)
    prefix = f"{section}." if section else ""
    for key in values:
        if key not in hints:
            raise unknown_key(where, prefix + key, hints)
    filled = {}
    for item in dataclasses.fields(cls):
        if item.name in values:
            filled[item.name] = convert(hints[item.name], values[item.name], prefix + item.name, where)
        elif item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING:
            raise ConfigError(f"{where}: {prefix}{item.name} is missing")
    return cls(**filled)


def convert(kind: Any, value: Any, key: str, where: str) -> Any:
    """``value`` as ``kind``: whole numbers pass as floats, nothing else is converted."""

    def wrong(expected: str) -> ConfigError:
        return ConfigError(f"{where}: {key}: got {value!r}; expected {expected}")

    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return fill(kind, value, key, where)
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        number = convert(inner[0], value, key, where)
        limits: Range = inner[1]
        if not limits.holds(number):
            raise wrong(str(limits))
        return number
    if origin is typing.Literal:
        if value not in inner:
            raise wrong(f"one of: {', '.join(inner)}")
        return value
    if origin in (typing.Union, types.UnionType):
        return None if value is None else convert(next(k for k in inner if k is not type(None)), value, key, where)
    if origin is list:
        if not isinstance(value, list):
            raise wrong("a list")
        return [convert(inner[0], item, f"{key}[{number}]", where) for number, item in enumerate(value)]
    kind = origin or kind
    if kind is float and isinstance(value, int) and not isinstance(value, bool) and abs(value) <= LARGEST:
        return float(value)
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise wrong({"dict": "a section of keys", "str": "text"}.get(kind.__name__, kind.__name__))
    return value


def check_numbers(value: Any, key: str, where: str) -> None:
    """Raise ConfigError for a number at any depth that is not finite or larger than :data:`LARGEST`."""
    if isinstance(value, dict):
        for name, item in value.items():
            check_numbers(item, f"{key}.{name}" if key else name, where)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            check_numbers(item, f"{key}[{number}]", where)
    elif isinstance(value, (int, float)) and not (math.isfinite(value) and abs(value) <= LARGEST):
        raise ConfigError(f"{where}: {key}: got {value!r}; expected a finite number of at most {LARGEST:g}")
