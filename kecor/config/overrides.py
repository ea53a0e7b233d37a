"""``key.sub=value`` options of the command line, applied on top of a config."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kecor.config.layers import Values, drop_classes, listed_classes
from kecor.config.yaml_text import parse_yaml
from kecor.errors import ConfigError

FLAG = "--set"


def apply_options(values: Values, options: Sequence[str], flag: str = FLAG) -> Values:
    """``values`` with each option applied in turn.

    ``a.b=c`` sets a value, ``a.b+=[c]`` appends to a list, and a number in a key is a position of a list, as in
    ``detector.dense_head.anchors.0.matched=0.55``. A new ``type`` replaces its section; fewer ``data.classes`` drop
    the settings of the others.

    Raises:
        ConfigError: an option has another form, its value is no YAML, or its key leads through no section.
    """
    for option in options:
        key, equals, text = option.partition("=")
        append = key.endswith("+")
        parts = key.removesuffix("+").split(".")
        if not equals or not all(parts):
            raise ConfigError(f"{flag} {option!r}: expected key.sub=value")
        value = parse_yaml(text, f"{flag} {option!r}") if text else ""
        before = listed_classes(values)
        values = _set(values, parts, value, append, f"{flag} {option!r}")
        values = drop_classes(values, before - listed_classes(values))
    return values


def _set(container: Any, parts: list[str], value: Any, append: bool, where: str) -> Any:
    """A copy of ``container`` in which the value at ``parts`` is set."""
    name, rest = parts[0], parts[1:]
    if isinstance(container, list):
        if not name.isdecimal() or int(name) >= len(container):
            raise ConfigError(f"{where}: got position {name!r}; expected one from 0 to {len(container) - 1}")
        below, here = container[int(name)], int(name)
        return [*container[:here], _changed(below, rest, value, append, where), *container[here + 1 :]]
    if not isinstance(container, dict):
        raise ConfigError(f"{where}: there is no section above {name!r}")
    if parts == ["type"] and container.get("type", value) != value:
        return {"type": value}
    return {**container, name: _changed(container.get(name), rest, value, append, where)}


def _changed(below: Any, rest: list[str], value: Any, append: bool, where: str) -> Any:
    """``value``, or what is ``below`` a key with the value set in it."""
    if rest:
        return _set({} if below is None else below, rest, value, append, where)
    if not append:
        return value
    if not isinstance(below, (list, type(None))) or not isinstance(value, list):
        raise ConfigError(f"{where}: += appends a list to a list, as in custom_imports+=[my_module]")
    return [*(below or []), *value]
