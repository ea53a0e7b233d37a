"""What a run imports at its first look into the registries, for processes that are forked from one that has it."""

from kecor.registry import ACQUISITIONS, DATASETS, DETECTORS, METRICS, TRANSFORMS
from tests.active.annotators import people

for registry in (ACQUISITIONS, DATASETS, DETECTORS, METRICS, TRANSFORMS):
    registry.import_from_location()
__all__ = ["people"]
