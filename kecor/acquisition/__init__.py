"""Acquisition functions: which frames to label next. One file a method; their contract is in :mod:`.base`."""

from kecor.acquisition.base import Acquisition, build_acquisition, load_plugins, take_within_budget, validate_selection
from kecor.acquisition.entropy import Entropy
from kecor.acquisition.kecor import Kecor
from kecor.acquisition.random import Random

__all__ = [
    "Acquisition",
    "Entropy",
    "Kecor",
    "Random",
    "build_acquisition",
    "take_within_budget",
    "validate_selection",
]

load_plugins()
