"""Checking values of a config against the annotated types of what takes them."""

from __future__ import annotations

import collections.abc
import dataclasses
import functools
import inspect
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from kecor.errors import ConfigError

SEQUENCES = (list, tuple, collections.abc.Sequence, collections.abc.Iterable)
MAPPINGS = (dict, collections.abc.Mapping)
PLAIN: dict[Any, tuple[tuple[type, ...], str]] = {
    bool: ((bool,), "true or false"),
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
    str: ((str,), "text"),
    type(None): ((type(None),), "null"),
}
"""Type -> the types of values that fit, and its name."""


def check_types(target: Callable[..., Any], given: Mapping[str, Any], key: str, where: str) -> None:
    """Check the arguments ``given`` to ``target`` against its annotations; those without one may be anything.

    Raises:
        ConfigError: a value has another type.
    """
    hints = _hints(target)
    for name, value in given.items():
        if (fault := _fault(hints.get(name, Any), value, f"{key}.{name}" if key else name)) is not None:
            raise ConfigError(f"{where}: {fault}")


def _hints(target: Callable[..., Any]) -> dict[str, Any]:
    function = target.func if isinstance(target, functools.partial) else target
    return typing.get_type_hints(function.__init__ if inspect.isclass(function) else function)  # type: ignore[misc]


def _fault(kind: Any, value: Any, key: str) -> str | None:
    """What is wrong with ``value`` as ``kind``; None if it fits or ``kind`` says nothing about plain values."""
    origin, inner = typing.get_origin(kind) or kind, typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        faults = [_fault(one, value, key) for one in inner]
        return (
            next((fault for one, fault in zip(inner, faults) if one is not type(None)), None) if all(faults) else None
        )
    if origin is typing.Literal:
        return None if value in inner else _wrong(value, key, f"one of: {', '.join(map(str, inner))}")
    if origin in SEQUENCES:
        return _fault_of_items(inner, value, key)
    if origin in MAPPINGS or dataclasses.is_dataclass(kind):
        if dataclasses.is_dataclass(type(value)):
            return None
        return _fault_of_entries(inner, value, key)
    fitting, name = PLAIN.get(origin, ((), ""))
    fits = not fitting or (isinstance(value, fitting) and (origin is bool or not isinstance(value, bool)))
    return None if fits else _wrong(value, key, name)


def _fault_of_items(inner: Sequence[Any], value: Any, key: str) -> str | None:
    if isinstance(value, str) or not isinstance(value, collections.abc.Sequence):
        return _wrong(value, key, "a list")
    fixed = [kind for kind in inner if kind is not Ellipsis]
    if len(fixed) > 1 and len(value) != len(fixed):
        return _wrong(value, key, f"a list of {len(fixed)}")
    kinds = fixed if len(fixed) > 1 else (fixed or [Any]) * len(value)
    faults = (_fault(kind, item, f"{key}[{number}]") for number, (kind, item) in enumerate(zip(kinds, value)))
    return next((fault for fault in faults if fault), None)


def _fault_of_entries(inner: Sequence[Any], value: Any, key: str) -> str | None:
    if not isinstance(value, collections.abc.Mapping):
        return _wrong(value, key, "a section of keys")
    kind = inner[1] if len(inner) == 2 else Any
    return next((fault for name in value if (fault := _fault(kind, value[name], f"{key}.{name}"))), None)


def _wrong(value: Any, key: str, expected: str) -> str:
    return f"{key}: got {value!r:.80}; expected {expected}"
