"""Where a detector runs, and in which precision."""

from __future__ import annotations

import contextlib

import torch

from kecor.errors import ConfigError

AMP_TYPES = {"none": None, "bf16": torch.bfloat16, "fp16": torch.float16}


def resolve_device(device: str) -> str:
    """``"cpu"`` or ``"cuda"`` (or ``"cuda:N"``) for what the user asked; ``"auto"`` is CUDA where there is one.

    Raises:
        ConfigError: an unknown name, or CUDA asked for where it is absent.
    """
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    kind, _, index = device.partition(":")
    if kind not in ("cpu", "cuda") or (index and not (kind == "cuda" and index.isdigit())):
        raise ConfigError(f"--device {device!r} is none of auto, cpu, cuda, cuda:N")
    if kind == "cuda" and not torch.cuda.is_available():
        raise ConfigError(f"--device {device}: no CUDA device can be used here; pass --device cpu")
    if index and int(index) >= torch.cuda.device_count():
        raise ConfigError(f"--device {device}: there are {torch.cuda.device_count()} CUDA devices, counted from 0")
    return device


def autocast(device: str, amp: str) -> contextlib.AbstractContextManager:
    """The mixed-precision context of ``amp`` (none, bf16, fp16) on ``device``.

    Raises:
        ConfigError: an unknown ``amp``, or fp16 on a CPU.
    """
    if amp not in AMP_TYPES:
        raise ConfigError(f"schedule.amp: {amp!r} is none of {', '.join(AMP_TYPES)}")
    kind = torch.device(device).type
    if amp == "fp16" and kind == "cpu":
        raise ConfigError("schedule.amp: fp16 needs a CUDA device; use bf16 or none on a CPU")
    if amp == "none":
        return contextlib.nullcontext()
    return torch.autocast(kind, AMP_TYPES[amp])
