"""Dispatch between implementations: numba on the CPU, plain torch on other devices."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from torch import Tensor


def is_compiled_for(tensor: Tensor) -> bool:
    """Whether the numba kernels accept this tensor."""
    return tensor.device.type == "cpu" and tensor.dtype in (torch.float32, torch.float64)


def also_for_tensors(in_torch: Callable[..., Tensor]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator that lets a function of numpy arrays also accept tensors, and then return a tensor on their device.

    Tensors on the CPU are passed to the function as arrays; tensors on another device are passed to ``in_torch``, which
    has the same arguments. Neither path is differentiable.
    """

    def decorate(on_arrays: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(on_arrays)
        def on_either(*args: Any, **kwargs: Any) -> Any:
            tensors = [value for value in (*args, *kwargs.values()) if isinstance(value, Tensor)]
            if not tensors:
                return on_arrays(*args, **kwargs)
            if any(tensor.device.type != "cpu" for tensor in tensors):
                with torch.no_grad():
                    return in_torch(*args, **kwargs)
            arrays = [_as_array(value) for value in args]
            return torch.from_numpy(on_arrays(*arrays, **{name: _as_array(value) for name, value in kwargs.items()}))

        return on_either

    return decorate


def _as_array(value: Any) -> Any:
    """A CPU tensor as a float64 array, the type of the kernels; other values unchanged."""
    return value.detach().double().numpy() if isinstance(value, Tensor) else value
