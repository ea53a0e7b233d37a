"""Anybody's own sweeps: clouds in common formats, labels as text, nothing else needed."""

from kecor.datasets.custom.dataset import CustomDataset
from kecor.datasets.custom.writing import write_custom_set

__all__ = ["CustomDataset", "write_custom_set"]
