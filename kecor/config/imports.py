"""A user's modules, named by ``custom_imports``: the one way in which a config runs code."""

from __future__ import annotations

import importlib
from collections.abc import Iterable

from kecor.errors import ConfigError


def import_modules(names: Iterable[str], where: str) -> None:
    """Import modules for what they register; ``where`` says in errors who named them.

    Raises:
        ConfigError: one cannot be imported.
    """
    for name in names:
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise ConfigError(f"{where}: {name!r} cannot be imported: {error}") from error
