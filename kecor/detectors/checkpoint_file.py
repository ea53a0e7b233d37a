"""Opening a checkpoint file without running any code of its own."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch

from kecor.errors import CheckpointError

IMPOSTORS = {
    b"version https://git-lfs": "is a Git LFS pointer, not the checkpoint; fetch the file with: git lfs pull",
    b"<!doctype html": "is an HTML page, not a checkpoint; download the file itself",
    b"<html": "is an HTML page, not a checkpoint; download the file itself",
}
"""How files begin that are often found in place of a checkpoint."""


def open_checkpoint(path: Path) -> Any:
    """The content of a checkpoint, which may hold only tensors and plain values; tensors are on the CPU.

    Raises:
        CheckpointError: the file is missing, damaged, no checkpoint, or holds anything else.
    """
    if not path.is_file():  # also refuses a pipe, which would block
        raise CheckpointError(f"{path}: no such checkpoint file")
    try:
        with path.open("rb") as stream:
            start = stream.read(256).lstrip().lower()
        for beginning, message in IMPOSTORS.items():
            if start.startswith(beginning):
                raise CheckpointError(f"{path}: {message}")
        return torch.load(path, map_location="cpu", weights_only=True)
    except CheckpointError:
        raise
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path}: cannot be read: not a checkpoint, or one that holds more than tensors and plain values and could "
            "run code when loaded. If you trust its source, convert it once: c = torch.load(OLD, weights_only=False, "
            "map_location='cpu'); torch.save({'model_state': c['model_state']}, NEW)"
        ) from error
    except Exception as error:  # torch.load raises many kinds of error on a damaged file
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(f"{path}: cannot be read, it is damaged or no checkpoint: {reason}") from error


def is_plain_tensor(value: object) -> bool:
    """Whether ``value`` is a dense tensor."""
    return isinstance(value, torch.Tensor) and value.layout is torch.strided
