"""The registries: a name in a config finds the class that carries it.

Each registry imports its package the first time a name is looked up, so importing :mod:`kecor` stays cheap.
"""

from mmengine.registry import Registry

DATASETS = Registry("dataset", scope="kecor", locations=["kecor.datasets"])
TRANSFORMS = Registry("transform", scope="kecor", locations=["kecor.datasets"])
DETECTORS = Registry("detector", scope="kecor", locations=["kecor.detectors"])
DETECTOR_STAGES = Registry("stage", scope="kecor", locations=["kecor.detectors"])
ACQUISITIONS = Registry("acquisition", scope="kecor", locations=["kecor.acquisition"])
METRICS = Registry("metric", scope="kecor", locations=["kecor.evaluation"])
