"""Active learning in rounds: train, evaluate, look at the pool, select, label; and again."""

from kecor.active.loop import run
from kecor.active.oracle import SimulatedOracle
from kecor.active.pool import Pool

__all__ = ["Pool", "SimulatedOracle", "run"]
