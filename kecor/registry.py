"""The registries: a name in a config finds the class that carries it.

Each registry imports the modules that fill it when a name is looked up first, so importing :mod:`kecor` stays cheap.
"""

from mmengine.registry import Registry

DATA_SETS = ("kitti", "nuscenes", "waymo", "custom")
"""Packages in :mod:`kecor.datasets`; each registers a data set."""
METRIC_ROOMS = ("kitti", "nuscenes", "waymo", "boxes")
"""Packages in :mod:`kecor.evaluation`; each registers a metric."""

DATASETS = Registry("dataset", scope="kecor", locations=[f"kecor.datasets.{name}.dataset" for name in DATA_SETS])
METRICS = Registry("metric", scope="kecor", locations=[f"kecor.evaluation.{name}.metric" for name in METRIC_ROOMS])
TRANSFORMS = Registry(
    "transform", scope="kecor", locations=["kecor.datasets.augmentation", "kecor.datasets.gt_sampling"]
)
DETECTORS = Registry("detector", scope="kecor", locations=["kecor.detectors"])
DETECTOR_STAGES = Registry("stage", scope="kecor", locations=["kecor.detectors"])
ACQUISITIONS = Registry("acquisition", scope="kecor", locations=["kecor.acquisition"])
