"""Acquisition functions: which frames to label next. One file per method; the interface is in :mod:`.base`."""

from kecor.acquisition.base import Acquisition, take_within_budget
from kecor.acquisition.build import build_acquisition, load_plugins
from kecor.acquisition.combine.filter import Filter
from kecor.acquisition.combine.power import Power
from kecor.acquisition.combine.subsample import Subsample
from kecor.acquisition.combine.weighted_sum import WeightedSum
from kecor.acquisition.diversity.coreset import Coreset
from kecor.acquisition.diversity.lcmd import LCMD
from kecor.acquisition.diversity.typiclust import TypiClust
from kecor.acquisition.dropout.bald import Bald
from kecor.acquisition.dropout.consensus import Consensus
from kecor.acquisition.dropout.mc_dropout import MCDropout
from kecor.acquisition.fewest_boxes import FewestBoxes
from kecor.acquisition.gradient.badge import Badge
from kecor.acquisition.gradient.bait import Bait
from kecor.acquisition.gradient.crb import Crb
from kecor.acquisition.gradient.stone import Stone
from kecor.acquisition.kecor import Kecor
from kecor.acquisition.llal import LLAL
from kecor.acquisition.random import Random
from kecor.acquisition.random_by_count import RandomByCount
from kecor.acquisition.uncertainty.entropy import Entropy
from kecor.acquisition.uncertainty.label_entropy import LabelEntropy
from kecor.acquisition.uncertainty.least_confidence import LeastConfidence
from kecor.acquisition.uncertainty.margin import Margin
from kecor.acquisition.validation import validate_selection

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
    "FewestBoxes",
    "Filter",
    "Kecor",
    "LabelEntropy",
    "LeastConfidence",
    "MCDropout",
    "Margin",
    "Power",
    "Random",
    "RandomByCount",
    "Stone",
    "Subsample",
    "TypiClust",
    "WeightedSum",
    "build_acquisition",
    "take_within_budget",
    "validate_selection",
]

load_plugins()
