"""A user's modules, named by ``custom_imports``: the one way in which a config runs code."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from functools import partial

from kecor.plug_ins import import_plug_in


def import_modules(names: Iterable[str], where: str) -> None:
    """Import modules for what they register; ``where`` says in errors who named them.

    Raises:
        ConfigError: one cannot be imported; the message gives the fault and its line.
    """
    for name in names:
        import_plug_in(partial(importlib.import_module, name), f"{where}: {name!r}")
