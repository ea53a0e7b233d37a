"""Loading weights that were trained elsewhere: OpenPCDet's published checkpoints, or kecor's own."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from kecor.errors import CheckpointError

SHOWN = 20
STATE_KEYS = ("model_state", "state_dict")


def load_pretrained(detector: nn.Module, path: str | Path) -> None:
    """Load a checkpoint file with the weights under ``model_state`` (OpenPCDet) or ``state_dict`` (kecor).

    Sparse convolution weights in the layout of spconv 1, (kz, ky, kx, in, out), are recognised by their shape and
    brought into ours. Nothing is unpickled: the file may hold tensors and plain values alone.

    Raises:
        CheckpointError: a file that cannot be read so, or that does not fit the detector in every name and shape; the
            detector is left as it was.
    """
    wanted = detector.state_dict()
    state = {name: _current_layout(value, wanted.get(name)) for name, value in _read_state(Path(path)).items()}
    load_weights(detector, state, path)


def load_weights(module: nn.Module, weights: dict[str, Tensor], path: str | Path) -> None:
    """Load ``weights``, which came from ``path``, when every name and shape fits.

    Raises:
        CheckpointError: lists what is missing, unexpected or misshapen; ``module`` is left as it was.
    """
    wanted = module.state_dict()
    faults = [f"missing: {name}" for name in wanted if name not in weights]
    faults += [f"unexpected: {name}" for name in weights if name not in wanted]
    faults += [
        f"shape of {name}: {list(weights[name].shape)}, expected {list(value.shape)}"
        for name, value in wanted.items()
        if name in weights and weights[name].shape != value.shape
    ]
    if faults:
        more = f"; and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
        raise CheckpointError(f"{path}: does not fit the detector: {'; '.join(faults[:SHOWN])}{more}")
    module.load_state_dict(weights)


def _read_state(path: Path) -> dict[str, Tensor]:
    if not path.is_file():  # nor a pipe, which would block
        raise CheckpointError(f"{path}: no such checkpoint file")
    try:
        checkpoint: Any = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path}: no checkpoint, or one that holds more than tensors and plain values, which could run code when "
            "read. If you trust its source, convert it once: c = torch.load(OLD, weights_only=False, "
            "map_location='cpu'); torch.save({'model_state': c['model_state']}, NEW)"
        ) from error
    except Exception as error:  # on a damaged file the reader fails with whatever it runs into
        raise CheckpointError(f"{path}: cannot be read as a checkpoint: {type(error).__name__}: {error}") from error
    keys = [key for key in STATE_KEYS if isinstance(checkpoint, dict) and key in checkpoint]
    if not keys:
        raise CheckpointError(f"{path}: holds neither {' nor '.join(STATE_KEYS)}")
    state = checkpoint[keys[0]]
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise CheckpointError(f"{path}: {keys[0]} is no mapping of names to tensors")
    return dict(state)


def _current_layout(value: Tensor, wanted: Tensor | None) -> Tensor:
    """A sparse convolution weight from (kz, ky, kx, in, out) to (out, kz, ky, kx, in), where that is what fits."""
    if wanted is None or value.ndim != 5 or value.shape == wanted.shape:
        return value
    turned = value.permute(4, 0, 1, 2, 3)
    return turned.contiguous() if turned.shape == wanted.shape else value
