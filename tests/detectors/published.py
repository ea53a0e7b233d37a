"""Names and shapes in OpenPCDet's published checkpoints, written out from the architectures."""

from pathlib import Path

import torch
from torch import Tensor

Shapes = dict[str, list[int]]
"""Name -> shape of every parameter and buffer."""


def second_kitti() -> Shapes:
    return _first_stage(4)


def second_iou_kitti() -> Shapes:
    roi_head = _fully_connected("roi_head.shared_fc_layer", 512 * 7**2)
    return {**_first_stage(4), **roi_head, **_fully_connected("roi_head.iou_layers", 256, 1)}


def pv_rcnn_kitti() -> Shapes:
    levels = [(16, 16), (32, 32), (64, 64), (64, 64)]
    return {**_first_stage(4), **_keypoints(4, levels, 640), **_roi_grid_head()}


def pv_rcnn_waymo() -> Shapes:
    """Keypoints do not look at the first two levels of the backbone."""
    return {**_first_stage(5), **_keypoints(5, [(64, 64), (64, 64)], 544), **_roi_grid_head()}


def checkpoint(shapes: Shapes, path: Path) -> dict[str, Tensor]:
    """A file as published ones are, with random weights of these shapes; what it holds."""
    generator = torch.Generator().manual_seed(0)
    state = {name: torch.rand(shape, generator=generator) for name, shape in shapes.items()}
    for name, value in state.items():
        if name.endswith("num_batches_tracked") or name == "global_step":
            state[name] = torch.full_like(value, 37120, dtype=torch.long)
    torch.save({"epoch": 80, "it": 37120, "model_state": state, "version": "pcdet+0.5.2"}, path)
    return state


def _norm(name: str, channels: int) -> Shapes:
    shapes = {f"{name}.{part}": [channels] for part in ("weight", "bias", "running_mean", "running_var")}
    return {**shapes, f"{name}.num_batches_tracked": []}


def _first_stage(in_channels: int) -> Shapes:
    shapes: Shapes = {"global_step": [1]}
    sparse = [("conv_input", in_channels, 16), ("conv1.0", 16, 16)]
    sparse += [("conv2.0", 16, 32), ("conv2.1", 32, 32), ("conv2.2", 32, 32)]
    sparse += [("conv3.0", 32, 64), ("conv3.1", 64, 64), ("conv3.2", 64, 64)]
    sparse += [("conv4.0", 64, 64), ("conv4.1", 64, 64), ("conv4.2", 64, 64)]
    for name, inputs, outputs in sparse:
        shapes[f"backbone_3d.{name}.0.weight"] = [outputs, 3, 3, 3, inputs]
        shapes |= _norm(f"backbone_3d.{name}.1", outputs)
    shapes["backbone_3d.conv_out.0.weight"] = [128, 3, 1, 1, 64]
    shapes |= _norm("backbone_3d.conv_out.1", 128)
    for level, (inputs, outputs) in enumerate([(256, 128), (128, 256)]):
        for position in range(1, 17, 3):
            shapes[f"backbone_2d.blocks.{level}.{position}.weight"] = [outputs, inputs, 3, 3]
            shapes |= _norm(f"backbone_2d.blocks.{level}.{position + 1}", outputs)
            inputs = outputs
        shapes[f"backbone_2d.deblocks.{level}.0.weight"] = [outputs, 256, level + 1, level + 1]
        shapes |= _norm(f"backbone_2d.deblocks.{level}.1", 256)
    for name, outputs in {"conv_cls": 18, "conv_box": 42, "conv_dir_cls": 12}.items():
        shapes[f"dense_head.{name}.weight"] = [outputs, 512, 1, 1]
        shapes[f"dense_head.{name}.bias"] = [outputs]
    return shapes


def _keypoints(point_channels: int, levels: list[tuple[int, int]], unfused: int) -> Shapes:
    """The keypoints' features, and the head that weighs them; ``levels``: channels, and widths of both MLPs."""
    shapes = _set_abstraction("pfe.SA_rawpoints", point_channels - 3, 16)
    for number, (channels, width) in enumerate(levels):
        shapes |= _set_abstraction(f"pfe.SA_layers.{number}", channels, width)
    shapes["pfe.vsa_point_feature_fusion.0.weight"] = [128, unfused]
    shapes |= _norm("pfe.vsa_point_feature_fusion.1", 128)
    for position, inputs in ((0, unfused), (3, 256)):
        shapes[f"point_head.cls_layers.{position}.weight"] = [256, inputs]
        shapes |= _norm(f"point_head.cls_layers.{position + 1}", 256)
    return {**shapes, "point_head.cls_layers.6.weight": [1, 256], "point_head.cls_layers.6.bias": [1]}


def _set_abstraction(name: str, channels: int, width: int) -> Shapes:
    shapes: Shapes = {}
    for radius in (0, 1):
        for position, inputs in ((0, channels + 3), (3, width)):
            shapes[f"{name}.mlps.{radius}.{position}.weight"] = [width, inputs, 1, 1]
            shapes |= _norm(f"{name}.mlps.{radius}.{position + 1}", width)
    return shapes


def _roi_grid_head() -> Shapes:
    shapes = _set_abstraction("roi_head.roi_grid_pool_layer", 128, 64)
    shapes |= _fully_connected("roi_head.shared_fc_layer", 2 * 64 * 6**3)
    shapes |= _fully_connected("roi_head.cls_layers", 256, 1)
    return {**shapes, **_fully_connected("roi_head.reg_layers", 256, 7)}


def _fully_connected(name: str, inputs: int, outputs: int | None = None) -> Shapes:
    shapes: Shapes = {}
    for position, channels in ((0, inputs), (4, 256)):  # dropout stands at 3
        shapes[f"{name}.{position}.weight"] = [256, channels, 1]
        shapes |= _norm(f"{name}.{position + 1}", 256)
    if outputs is not None:
        shapes |= {f"{name}.7.weight": [outputs, 256, 1], f"{name}.7.bias": [outputs]}
    return shapes
