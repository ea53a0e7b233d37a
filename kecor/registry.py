"""The registries: a name in a config finds the class that carries it.

Each registry imports the modules that fill it when a name is looked up first, so importing :mod:`kecor` stays cheap.
"""

from mmengine.registry import Registry

DATA_SETS = ("kitti", "nuscenes", "waymo")
"""Packages in :mod:`kecor.datasets` and :mod:`kecor.evaluation`; each registers a data set and its metric."""

DATASETS = Registry("dataset", scope="kecor", locations=[f"kecor.datasets.{name}.dataset" for name in DATA_SETS])
METRICS = Registry("metric", scope="kecor", locations=[f"kecor.evaluation.{name}.metric" for name in DATA_SETS])
TRANSFORMS = Registry(
    "transform", scope="kecor", locations=["kecor.datasets.augmentation", "kecor.datasets.gt_sampling"]
)
DETECTORS = Registry("detector", scope="kecor", locations=["kecor.detectors"])
DETECTOR_STAGES = Registry("stage", scope="kecor", locations=["kecor.detectors"])
ACQUISITIONS = Registry("acquisition", scope="kecor", locations=["kecor.acquisition"])
