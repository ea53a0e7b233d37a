"""Loading pretrained weights: OpenPCDet's published checkpoints, or kecor's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor, nn

from kecor.detectors.checkpoint_file import is_plain_tensor, open_checkpoint
from kecor.detectors.purpose import check_purpose
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
        CheckpointError: the file cannot be read, says that it was trained for something else (other classes, say), or
            a name or shape does not match the detector or a value is not finite; the detector keeps its weights.
    """
    wanted = detector.state_dict()
    weights, meta = _read_weights(Path(path))
    check_purpose(meta, purpose_in(detector), path)
    load_weights(detector, {name: _current_layout(value, wanted.get(name)) for name, value in weights.items()}, path)


def purpose_in(module: nn.Module) -> dict[str, Any]:
    """What ``module`` is made for; empty for one that does not say it."""
    return getattr(module, "purpose", {})


def load_weights(module: nn.Module, weights: dict[str, Tensor], path: str | Path) -> None:
    """Load ``weights`` into ``module`` if all names and shapes match and all values are finite.

    Raises:
        CheckpointError: names ``path`` and lists missing and unexpected names, wrong shapes and values that are not
            finite; ``module`` keeps its weights.
    """
    wanted = module.state_dict()
    faults = [f"missing: {name}" for name in wanted if name not in weights]
    faults += [f"unexpected: {name}" for name in weights if name not in wanted]
    faults += [
        f"{name}: {bad} of {value.numel()} values are not finite"
        for name, value in weights.items()
        if (bad := int((~value.isfinite()).sum()))
    ]
    faults += [
        f"shape of {name}: got {list(weights[name].shape)}, expected {list(value.shape)}"
        for name, value in wanted.items()
        if name in weights and weights[name].shape != value.shape
    ]
    if faults:
        more = f"; and {len(faults) - MAX_FAULTS_SHOWN} more" if len(faults) > MAX_FAULTS_SHOWN else ""
        raise CheckpointError(f"{path}: does not fit the detector: {'; '.join(faults[:MAX_FAULTS_SHOWN])}{more}")
    module.load_state_dict(weights)


def _read_weights(path: Path) -> tuple[dict[str, Tensor], Any]:
    """The weights in a checkpoint, and its ``meta`` if it has any."""
    checkpoint = open_checkpoint(path)
    keys = [key for key in STATE_KEYS if isinstance(checkpoint, dict) and key in checkpoint]
    if not keys:
        raise CheckpointError(f"{path}: contains neither {' nor '.join(STATE_KEYS)}")
    state = checkpoint[keys[0]]
    if not isinstance(state, dict) or not all(map(is_plain_tensor, state.values())):
        raise CheckpointError(f"{path}: {keys[0]} is not a mapping of names to tensors")
    return dict(state), checkpoint.get("meta")


def _current_layout(value: Tensor, wanted: Tensor | None) -> Tensor:
    """``value``, permuted from (kz, ky, kx, in, out) to (out, kz, ky, kx, in) if that gives the shape of ``wanted``."""
    if wanted is None or value.ndim != 5 or value.shape == wanted.shape:
        return value
    permuted = value.permute(4, 0, 1, 2, 3)
    return permuted.contiguous() if permuted.shape == wanted.shape else value
