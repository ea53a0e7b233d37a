"""Names and shapes in OpenPCDet's published SECOND checkpoint for KITTI, written out from its architecture."""


def _norm(name: str, channels: int) -> dict[str, list[int]]:
    shapes = {f"{name}.{part}": [channels] for part in ("weight", "bias", "running_mean", "running_var")}
    return {**shapes, f"{name}.num_batches_tracked": []}


def second_kitti() -> dict[str, list[int]]:
    """Name -> shape of every parameter and buffer."""
    shapes: dict[str, list[int]] = {"global_step": [1]}
    sparse = [("conv_input", 4, 16), ("conv1.0", 16, 16)]
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
