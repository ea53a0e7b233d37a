"""Registries: from the name in a config to the class registered under it.

The modules that fill a registry are imported at the first lookup, so importing :mod:`kecor` stays fast.
"""

from mmengine.registry import Registry

DATA_SETS = ("kitti", "nuscenes", "waymo", "custom")
"""Packages of :mod:`kecor.datasets` that register a data set."""
METRIC_PACKAGES = ("kitti", "nuscenes", "waymo", "boxes")
"""Packages of :mod:`kecor.evaluation` that register a metric."""

DATASETS = Registry("dataset", scope="kecor", locations=[f"kecor.datasets.{name}.dataset" for name in DATA_SETS])
METRICS = Registry("metric", scope="kecor", locations=[f"kecor.evaluation.{name}.metric" for name in METRIC_PACKAGES])
TRANSFORMS = Registry(
    "transform", scope="kecor", locations=["kecor.datasets.augmentation", "kecor.datasets.gt_sampling"]
)
DETECTORS = Registry("detector", scope="kecor", locations=["kecor.detectors"])
DETECTOR_STAGES = Registry("stage", scope="kecor", locations=["kecor.detectors"])
ACQUISITIONS = Registry("acquisition", scope="kecor", locations=["kecor.acquisition"])
