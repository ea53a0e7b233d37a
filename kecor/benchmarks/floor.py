"""Lower bounds of run times: records the operations of a model and measures the peak rates of the machine."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map_only
from torch.utils.flop_counter import flop_registry

from kecor.detectors.layers.sparse import SparseConvolution, SparseTensor

LAYOUTS = (torch.contiguous_format, torch.channels_last)
PRODUCTS = {"cpu": (1024, 2048), "cuda": (8192,)}
"""Sizes of the square matrices used to measure the peak rate of matrix products."""


@dataclass
class Call:
    """One convolution or matrix product.

    Attributes:
        flops: floating-point operations, two per multiply-add.
        moved: bytes of inputs, weights and output.
        dtype: dtype of the output.
        alone: for each memory layout to try, a function that prepares the same call on random values.
    """

    flops: float
    moved: float
    dtype: torch.dtype
    alone: list[Callable[[], Callable[[], Any]]]


class Recorder(TorchDispatchMode):
    """Context manager that records every convolution and matrix product in ``calls``.

    A sparse convolution of ``model`` is recorded as one call.
    """

    def __init__(self, model: nn.Module):
        super().__init__()
        self.calls: list[Call] = []
        self._layers = [layer for layer in model.modules() if isinstance(layer, SparseConvolution)]
        self._inside = False

    def __enter__(self) -> Recorder:
        self._hooks = [layer.register_forward_pre_hook(self._enter) for layer in self._layers]
        self._hooks += [layer.register_forward_hook(self._leave) for layer in self._layers]
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)
        for hook in self._hooks:
            hook.remove()

    def __torch_dispatch__(
        self, function: Any, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        out = function(*args, **kwargs)
        if function.overloadpacket in flop_registry and not self._inside:
            flops = flop_registry[function.overloadpacket](*args, **kwargs, out_val=out)
            tensors = [value for value in tree_flatten((args, kwargs))[0] if isinstance(value, Tensor)]
            like_args, like_kwargs = tree_map_only(
                Tensor, lambda tensor: torch.empty_like(tensor, device="meta"), (args, kwargs)
            )
            layouts = LAYOUTS if args[0].ndim == 4 else LAYOUTS[:1]
            alone = [_call_on_random(function, like_args, like_kwargs, out.device, layout) for layout in layouts]
            self.calls.append(Call(flops, _size(*tensors, out), out.dtype, alone))
        return out

    def _enter(self, layer: nn.Module, inputs: tuple[SparseTensor]) -> None:
        self._inside = True

    def _leave(self, layer: SparseConvolution, inputs: tuple[SparseTensor], out: SparseTensor) -> None:
        self._inside = False
        flops = 2.0 * pair_count(layer, out) * layer.in_channels * layer.out_channels
        moved = _size(inputs[0].features, layer.weight, out.features)
        self.calls.append(Call(flops, moved, out.features.dtype, [lambda: partial(layer, *inputs)]))


def pair_count(layer: SparseConvolution, out: SparseTensor) -> int:
    """Number of pairs of active inputs and outputs that a sparse convolution connects, from spconv's rulebook."""
    rules = out.indice_dict[layer.indice_key]
    if hasattr(rules, "indice_pair_num"):
        pairs = rules.indice_pair_num
        if rules.is_subm:  # only half of the kernel offsets are listed; the others mirror them, plus the centre
            half = math.prod(rules.ksize) // 2
            return 2 * int(pairs[:half].sum()) + len(out.features)
        return int(pairs.sum())
    return int((rules.pair_fwd >= 0).sum())


def floor_seconds(calls: Iterable[Call], rates: dict[torch.dtype, float], bandwidth: float) -> float:
    """Lower bound for ``calls`` in seconds, at ``rates`` (flop/s by dtype) and ``bandwidth`` (bytes/s)."""
    calls = list(calls)
    computing = sum(call.flops / rates[call.dtype] for call in calls)
    return max(computing, sum(call.moved for call in calls) / bandwidth)


def alone_seconds(calls: Iterable[Call], device: str) -> list[float]:
    """Seconds of each call by itself, in the faster memory layout."""
    return [min(seconds(prepare(), device) for prepare in call.alone) for call in calls]


def seconds(work: Callable[[], Any], device: str) -> float:
    """Seconds of ``work()``, including the GPU work it launches."""
    synchronise(device)
    started = time.perf_counter()
    work()
    synchronise(device)
    return time.perf_counter() - started


def synchronise(device: str) -> None:
    """Wait for the GPU, if ``device`` is one."""
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)


def flop_rate(dtype: torch.dtype, device: str) -> float:
    """Peak flop/s of large matrix products."""
    rates = []
    for n in PRODUCTS[torch.device(device).type]:
        a, out = torch.ones(2, n, n, dtype=dtype, device=device)
        rates += [2.0 * n**3 / seconds(partial(torch.mm, a, a, out=out), device) for _ in range(2)]
    return max(rates)


def copy_rate(device: str) -> float:
    """Peak bytes/s, read and written, of a large copy."""
    source, target = torch.ones(2, 1 << 26, device=device)
    return 2.0 * _size(source) / min(seconds(partial(target.copy_, source), device) for _ in range(2))


def _call_on_random(
    function: Any, args: tuple, kwargs: dict[str, Any], device: torch.device, layout: torch.memory_format
) -> Callable[[], Callable[[], Any]]:
    """A function that prepares a call of ``function`` on random tensors shaped like ``args`` and ``kwargs``."""

    def filled(shape: Tensor) -> Tensor:
        tensor = torch.empty_like(shape, device=device).normal_()
        return tensor.to(memory_format=layout) if tensor.ndim == 4 else tensor

    def prepare() -> Callable[[], Any]:
        filled_args, filled_kwargs = tree_map_only(Tensor, filled, (args, kwargs))
        return partial(function, *filled_args, **filled_kwargs)

    return prepare


def _size(*tensors: Tensor) -> float:
    """Bytes of the tensors."""
    return float(sum(tensor.numel() * tensor.element_size() for tensor in tensors))
