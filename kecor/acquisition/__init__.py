"""Acquisition functions: which frames to label next. One file a method; their contract is in :mod:`.base`."""

from kecor.acquisition.badge import Badge
from kecor.acquisition.bait import Bait
from kecor.acquisition.bald import Bald
from kecor.acquisition.base import Acquisition, build_acquisition, load_plugins, take_within_budget, validate_selection
from kecor.acquisition.consensus import Consensus
from kecor.acquisition.coreset import Coreset
from kecor.acquisition.crb import Crb
from kecor.acquisition.entropy import Entropy
from kecor.acquisition.filter import Filter
from kecor.acquisition.kecor import Kecor
from kecor.acquisition.label_entropy import LabelEntropy
from kecor.acquisition.lcmd import LCMD
from kecor.acquisition.least_confidence import LeastConfidence
from kecor.acquisition.llal import LLAL
from kecor.acquisition.margin import Margin
from kecor.acquisition.mc_dropout import MCDropout
from kecor.acquisition.power import Power
from kecor.acquisition.random import Random
from kecor.acquisition.stone import Stone
from kecor.acquisition.subsample import Subsample
from kecor.acquisition.typiclust import TypiClust
from kecor.acquisition.weighted_sum import WeightedSum

__all__ = [
    "LCMD",
    "LLAL",
    "Acquisition",
    "Badge",
    "Bait",
    "Bald",
    "Consensus",
    "Coreset",
    "Crb",
    "Entropy",
    "Filter",
    "Kecor",
    "LabelEntropy",
    "LeastConfidence",
    "MCDropout",
    "Margin",
    "Power",
    "Random",
    "Stone",
    "Subsample",
    "TypiClust",
    "WeightedSum",
    "build_acquisition",
    "take_within_budget",
    "validate_selection",
]

load_plugins()
