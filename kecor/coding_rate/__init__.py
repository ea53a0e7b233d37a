"""Coding rate of a set of vectors and its greedy maximisation. Independent of frames and detectors."""

from kecor.coding_rate.candidates import TWIN_DISTANCE, CandidateKernel, GramMatrix
from kecor.coding_rate.greedy import GreedyCodingRate, Pick
from kecor.coding_rate.rate import coding_rate, feature_coding_rate

__all__ = [
    "TWIN_DISTANCE",
    "CandidateKernel",
    "GramMatrix",
    "GreedyCodingRate",
    "Pick",
    "coding_rate",
    "feature_coding_rate",
]
