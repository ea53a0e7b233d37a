"""Loading pretrained weights: OpenPCDet's published checkpoints, or kecor's own."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from kecor.errors import CheckpointError

MAX_FAULTS_SHOWN = 20
STATE_KEYS = ("model_state", "state_dict")
"""Where OpenPCDet and kecor keep the weights in a checkpoint."""


def load_pretrained(detector: nn.Module, path: str | Path) -> None:
    """Load a checkpoint file with the weights under ``model_state`` (OpenPCDet) or ``state_dict`` (kecor).

    Sparse convolution weights in the layout of spconv 1, (kz, ky, kx, in, out), are recognised by their shape and
    permuted. The file may contain only tensors and plain values; anything else is refused, because unpickling it could
    run code.

    Raises:
        CheckpointError: the file cannot be read, or a name or shape does not match the detector, which then keeps its
            weights.
    """
    wanted = detector.state_dict()
    state = {name: _current_layout(value, wanted.get(name)) for name, value in _read_state(Path(path)).items()}
    load_weights(detector, state, path)


def load_weights(module: nn.Module, weights: dict[str, Tensor], path: str | Path) -> None:
    """Load ``weights`` into ``module`` if all names and shapes match; ``path`` is named in errors.

    Raises:
        CheckpointError: lists missing and unexpected names and wrong shapes; ``module`` keeps its weights.
    """
    wanted = module.state_dict()
    faults = [f"missing: {name}" for name in wanted if name not in weights]
    faults += [f"unexpected: {name}" for name in weights if name not in wanted]
    faults += [
        f"shape of {name}: got {list(weights[name].shape)}, expected {list(value.shape)}"
        for name, value in wanted.items()
        if name in weights and weights[name].shape != value.shape
    ]
    if faults:
        more = f"; and {len(faults) - MAX_FAULTS_SHOWN} more" if len(faults) > MAX_FAULTS_SHOWN else ""
        raise CheckpointError(f"{path}: does not fit the detector: {'; '.join(faults[:MAX_FAULTS_SHOWN])}{more}")
    module.load_state_dict(weights)


def _read_state(path: Path) -> dict[str, Tensor]:
    if not path.is_file():  # also refuses a pipe, which would block
        raise CheckpointError(f"{path}: no such checkpoint file")
    try:
        checkpoint: Any = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path}: not a checkpoint, or one that contains more than tensors and plain values and could run code "
            "when loaded. If you trust its source, convert it once: c = torch.load(OLD, weights_only=False, "
            "map_location='cpu'); torch.save({'model_state': c['model_state']}, NEW)"
        ) from error
    except Exception as error:  # torch.load raises many kinds of error on a damaged file
        raise CheckpointError(f"{path}: cannot be read as a checkpoint: {type(error).__name__}: {error}") from error
    keys = [key for key in STATE_KEYS if isinstance(checkpoint, dict) and key in checkpoint]
    if not keys:
        raise CheckpointError(f"{path}: contains neither {' nor '.join(STATE_KEYS)}")
    state = checkpoint[keys[0]]
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise CheckpointError(f"{path}: {keys[0]} is not a mapping of names to tensors")
    return dict(state)


def _current_layout(value: Tensor, wanted: Tensor | None) -> Tensor:
    """``value``, permuted from (kz, ky, kx, in, out) to (out, kz, ky, kx, in) if that gives the shape of ``wanted``."""
    if wanted is None or value.ndim != 5 or value.shape == wanted.shape:
        return value
    permuted = value.permute(4, 0, 1, 2, 3)
    return permuted.contiguous() if permuted.shape == wanted.shape else value
