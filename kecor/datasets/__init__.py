"""Data sets, augmentation and the way from frames to batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kecor.errors import ConfigError
from kecor.registry import DATASETS

if TYPE_CHECKING:
    from kecor.config import DataConfig
    from kecor.datasets.base import Dataset

__all__ = ["build_dataset"]


def build_dataset(data: DataConfig, split: str | None) -> Dataset:
    """The data set a config's ``data`` section names, for the split list ``split``.

    Raises:
        ConfigError: there is no split, as ``data.val_split`` is null.
        DataError: the folder or the list is missing or faulty.
    """
    if split is None:
        raise ConfigError("data.val_split is null, so there is nothing to measure on; name a split with labels")
    shared = {"type": data.type, "root": data.root, "split": split, "classes": data.classes}
    return DATASETS.build({**shared, **data.options})
