"""Active learning in rounds: train, evaluate, look at the pool, select, label; and again."""

from importlib import import_module
from typing import Any

HOMES = {"Pool": "pool", "SimulatedOracle": "oracle", "run": "loop"}

__all__ = ["Pool", "SimulatedOracle", "run"]


def __getattr__(name: str) -> Any:
    """Import a name when it is asked for: who chooses frames for another detector need not load ours, which is slow."""
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{HOMES[name]}"), name)
