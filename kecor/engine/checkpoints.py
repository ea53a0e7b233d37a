"""Checkpoints of ours: written whole or not at all, read without running any code of theirs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import nn

from kecor.detectors.checkpoint_file import is_plain_tensor, open_checkpoint
from kecor.detectors.pretrained import load_weights, purpose_in
from kecor.detectors.purpose import PURPOSE, check_purpose
from kecor.errors import CheckpointError
from kecor.files import write_atomic


def save_checkpoint(detector: nn.Module, path: str | Path, meta: dict[str, Any] | None = None) -> None:
    """Write ``{"state_dict", "meta"}`` atomically.

    ``meta`` holds plain numbers, texts, lists and dicts; what the detector is made for is added to it.
    """
    write_checkpoint({"state_dict": cpu_weights(detector), "meta": {**(meta or {}), **purpose_entry(detector)}}, path)


def load_checkpoint(detector: nn.Module, path: str | Path) -> dict[str, Any]:
    """Load the weights of a checkpoint of ours into ``detector`` and return its ``meta``.

    Raises:
        CheckpointError: the file is missing or damaged, was trained for something else, or its weights do not fit; then
            none is loaded.
    """
    checkpoint = read_checkpoint(path)
    check_purpose(checkpoint["meta"], purpose_in(detector), path)
    load_weights(detector, checkpoint["state_dict"], path)
    return checkpoint["meta"]


def write_checkpoint(checkpoint: dict[str, Any], path: str | Path) -> None:
    """Write a dictionary of tensors and plain values atomically."""
    write_atomic(path, lambda stream: torch.save(checkpoint, stream))


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """A dictionary with at least ``state_dict`` and ``meta``; its tensors are on the CPU.

    Raises:
        CheckpointError: the file is missing, damaged, holds anything but tensors and plain values, or is not ours.
    """
    checkpoint = open_checkpoint(Path(path))
    if not isinstance(checkpoint, dict) or not {"state_dict", "meta"} <= checkpoint.keys():
        raise CheckpointError(f"{path}: has no 'state_dict' and 'meta': it was not written by kecor")
    state = checkpoint["state_dict"]
    if not isinstance(state, dict) or not all(map(is_plain_tensor, state.values())):
        raise CheckpointError(f"{path}: state_dict is not a mapping of names to tensors")
    return checkpoint


def purpose_entry(detector: nn.Module) -> dict[str, Any]:
    """What ``meta`` says of the purpose of ``detector``; empty for a module that does not say it."""
    purpose = purpose_in(detector)
    return {PURPOSE: purpose} if purpose else {}


def cpu_weights(module: nn.Module) -> dict[str, torch.Tensor]:
    """The module's parameters and buffers by name, on the CPU."""
    return {name: tensor.detach().cpu() for name, tensor in module.state_dict().items()}
