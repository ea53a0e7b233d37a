"""Build an acquisition function from a config section."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Iterable
from importlib.metadata import entry_points
from typing import Any

from kecor.acquisition.base import Acquisition
from kecor.errors import ConfigError, SelectionError
from kecor.registry import ACQUISITIONS

ENTRY_POINTS = "kecor.acquisitions"
"""Entry-point group. Its modules are imported so that the methods they register can be named in a config."""


def build_acquisition(cfg: dict[str, Any]) -> Acquisition:
    """Build the acquisition function named by ``type``; the other entries are arguments of its constructor.

    Raises:
        ConfigError: the method is unknown, or an argument is unknown, missing or wrong.
        SelectionError: the class has no ``needs`` or no ``select``.
    """
    arguments = dict(cfg)
    ACQUISITIONS.import_from_location()
    known = ACQUISITIONS.module_dict
    if "type" not in arguments:
        raise ConfigError(f"acquisition.type is missing; known methods: {', '.join(sorted(known))}")
    name = str(arguments.pop("type"))
    if name not in known:
        raise ConfigError(f"acquisition.type: unknown method {name!r}; {_hint(name, known)}")
    _check_arguments(name, known[name], arguments)
    try:
        method = known[name](**arguments)
    except TypeError as error:
        raise ConfigError(f"acquisition: {name}: {error}") from error
    needs = getattr(method, "needs", None)
    if not isinstance(needs, (set, frozenset)) or not all(isinstance(item, str) for item in needs):
        raise SelectionError(f"{name}: the class needs an attribute 'needs': a set of what the pool pass must compute")
    if not callable(getattr(method, "select", None)):
        raise SelectionError(f"{name}: the class needs a method 'select'")
    return method


def load_plugins() -> None:
    """Import the modules that installed packages declare in the entry-point group :data:`ENTRY_POINTS`.

    Raises:
        ConfigError: a module cannot be imported; names the entry point and the module.
    """
    for point in entry_points(group=ENTRY_POINTS):
        try:
            point.load()
        except (ImportError, AttributeError) as error:
            raise ConfigError(f"entry point {point.name!r} = {point.value} cannot be imported: {error}") from error


def _hint(name: str, known: Iterable[str]) -> str:
    """The most similar known name, or all of them."""
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(known)) or 'none'}"


def _check_arguments(name: str, method: type, given: dict[str, Any]) -> None:
    parameters = inspect.signature(method).parameters
    for key in given:
        if key not in parameters:
            raise ConfigError(f"acquisition.{key}: {name} has no argument {key!r}; {_hint(key, parameters)}")
    for key, parameter in parameters.items():
        if parameter.default is parameter.empty and key not in given:
            raise ConfigError(f"acquisition.{key} is missing: {name} needs it")
