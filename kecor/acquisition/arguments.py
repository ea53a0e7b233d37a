"""Checks of the arguments of acquisition functions; all raise a :class:`~kecor.errors.ConfigError`."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from kecor.errors import ConfigError


def check_argument(key: str, value: Any, fits: bool, wanted: str) -> None:
    """Raise a ConfigError for the argument ``key`` unless it ``fits``; ``wanted`` describes the values that do."""
    if not fits:
        raise ConfigError(f"acquisition.{key}: got {value!r}; expected {wanted}")


def check_choice(key: str, value: Any, choices: Collection[str]) -> None:
    """``value`` must be one of ``choices``."""
    check_argument(key, value, isinstance(value, str) and value in choices, f"one of: {', '.join(choices)}")


def check_flag(key: str, value: Any) -> None:
    """``value`` must be a bool."""
    check_argument(key, value, isinstance(value, bool), "true or false")


def check_count(key: str, value: Any, least: int = 1, optional: bool = False, most: float = float("inf")) -> None:
    """``value`` must be an integer from ``least`` to ``most``, or None if it is ``optional``."""
    is_count = isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
    limits = f"of at least {least}" if most == float("inf") else f"from {least} to {most}"
    wanted = f"an integer {limits}" + (", or null" if optional else "")
    check_argument(key, value, is_count or (optional and value is None), wanted)


def check_number(
    key: str, value: Any, in_range: Callable[[float], bool], wanted: str, *, optional: bool = False
) -> None:
    """``value`` must be a finite number ``in_range``, which ``wanted`` describes, or None if it is ``optional``."""
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < float("inf")
    check_argument(key, value, (is_number and in_range(value)) or (optional and value is None), wanted)
