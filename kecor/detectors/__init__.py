"""Detectors and their stages. Importing this package registers both."""

from __future__ import annotations

from typing import Any

import torch

from kecor.config import DataConfig, check_arguments
from kecor.detectors.detector import Detector
from kecor.detectors.pretrained import load_pretrained
from kecor.detectors.pv_rcnn import PVRCNN
from kecor.detectors.second import Second
from kecor.detectors.second_iou import SecondIoU
from kecor.detectors.stages.anchor_head import AnchorHead
from kecor.detectors.stages.backbone_2d import BEVBackbone
from kecor.detectors.stages.backbone_3d import VoxelBackbone
from kecor.detectors.stages.height_compression import HeightCompression
from kecor.detectors.stages.point_head import PointHead
from kecor.detectors.stages.roi_grid_head import RoiGridHead
from kecor.detectors.stages.roi_iou_head import RoiIoUHead
from kecor.detectors.stages.voxel_set_abstraction import VoxelSetAbstraction
from kecor.detectors.targets.proxy_targets import proxy_targets
from kecor.errors import ConfigError
from kecor.registry import DETECTORS

__all__ = [
    "PVRCNN",
    "AnchorHead",
    "BEVBackbone",
    "Detector",
    "HeightCompression",
    "PointHead",
    "RoiGridHead",
    "RoiIoUHead",
    "Second",
    "SecondIoU",
    "VoxelBackbone",
    "VoxelSetAbstraction",
    "build_detector",
    "load_pretrained",
    "proxy_targets",
]

IMPOSSIBLE = (TypeError, ValueError, ArithmeticError, LookupError, RuntimeError)
"""What layers raise for sizes that cannot be, such as a negative number of channels."""


def build_detector(detector: dict[str, Any], data: DataConfig, seed: int = 0) -> Detector:
    """Build a detector with random weights.

    The state of torch's global generators is not changed.

    Args:
        detector: the ``detector`` section of a config: ``type`` and the arguments of that type.
        data: the ``data`` section of the config.
        seed: of the weights.

    Raises:
        ConfigError: an unknown type, or an unknown, missing or invalid argument.
    """
    arguments = dict(detector)
    name = arguments.pop("type", None)
    if not isinstance(name, str) or name not in DETECTORS.module_dict:
        raise ConfigError(f"detector.type: got {name!r}; expected one of: {', '.join(sorted(DETECTORS.module_dict))}")
    cls = DETECTORS.module_dict[name]
    check_arguments(cls, arguments, "detector")
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would also seed the GPUs
        try:
            return cls(data, **arguments)
        except IMPOSSIBLE as error:
            raise ConfigError(f"detector: no {name} can be built with these values: {error}") from error
