"""Data sets, augmentation and the way from frames to batches."""

from kecor.config import DataConfig
from kecor.datasets.augmentation import Flip, Rotate, Scale, build_transforms
from kecor.datasets.custom import CustomDataset
from kecor.datasets.epoch_sampler import EpochSampler
from kecor.datasets.gt_database import GTDatabase
from kecor.datasets.gt_sampling import GtSampling
from kecor.datasets.kitti import KittiDataset
from kecor.datasets.samples import Samples, collate
from kecor.registry import DATASETS

__all__ = [
    "CustomDataset",
    "EpochSampler",
    "Flip",
    "GTDatabase",
    "GtSampling",
    "KittiDataset",
    "Rotate",
    "Samples",
    "Scale",
    "build_dataset",
    "build_transforms",
    "collate",
]


def build_dataset(data: DataConfig, split: str) -> KittiDataset:
    """The data set a config's ``data`` section names, for the split list ``split``.

    Raises:
        DataError: the folder or the list is missing or faulty.
    """
    settings = {"type": data.type, "root": data.root, "split": split, "classes": data.classes}
    return DATASETS.build({**settings, "camera_view": data.camera_view})
