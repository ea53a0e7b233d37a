"""Times of the stages of a detector on one frame, and of their convolutions and matrix products alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch

from kecor.benchmarks.floor import Call, Recorder, alone_seconds, copy_rate, floor_seconds, flop_rate, seconds
from kecor.datasets.samples import collate
from kecor.detectors import Detector
from kecor.engine.device import autocast
from kecor.tables import format_table

POST_PROCESSING = "post_processing"
"""The step after the stages: decoding, non-maximum suppression, counting points in boxes."""
BATCHES = (1, 4, 16)
"""Batch sizes measured on a GPU."""
STAGE_HEADERS = ["stage", "ms", "share", "alone ms", "Gflop", "MB", "floor ms", "times floor"]


@dataclass
class Measured:
    """Fastest times of one detector on one frame.

    Attributes:
        stages: seconds of each stage, with ``post_processing`` last.
        calls: the convolutions and matrix products of each stage.
        floors: lower bound of each stage in seconds.
        alone: seconds of the calls of each stage by themselves, each in the faster memory layout.
        rates: peak flop/s of matrix products, by dtype.
        bandwidth: peak bytes/s, read and written, of a copy.
        training: seconds of the forward and the backward pass; empty unless requested.
        batches: seconds by batch size; empty on a CPU.
    """

    stages: dict[str, float]
    calls: dict[str, list[Call]]
    floors: dict[str, float]
    alone: dict[str, float]
    rates: dict[torch.dtype, float]
    bandwidth: float
    training: dict[str, float] = field(default_factory=dict)
    batches: dict[int, float] = field(default_factory=dict)

    @property
    def total(self) -> float:
        """Seconds of all stages together."""
        return sum(self.stages.values())


def measure(
    detector: Detector, sample: dict[str, Any], repeat: int, train: bool = False, amp: str = "none", device: str = "cpu"
) -> Measured:
    """Measure a detector; runs of the detector, of its calls alone and of the peak rates alternate."""
    detector.to(device).eval()
    batch = detector.data_preprocessor(collate([sample]), False)
    with torch.no_grad():
        calls = _recorded(detector, batch, amp, device)
        dtypes = sorted({call.dtype for stage in calls.values() for call in stage}, key=str)
        rates, bandwidths, stages, alone = [], [], [], []
        for _ in range(repeat):
            rates.append({dtype: flop_rate(dtype, device) for dtype in dtypes})
            bandwidths.append(copy_rate(device))
            stages.append(_stage_seconds(detector, batch, amp, device))
            alone.append({name: alone_seconds(stage, device) for name, stage in calls.items()})
    rate = {dtype: max(run[dtype] for run in rates) for dtype in dtypes}
    found = Measured(
        stages={name: min(run[name] for run in stages) for name in calls},
        calls=calls,
        floors={name: floor_seconds(stage, rate, max(bandwidths)) for name, stage in calls.items()},
        alone={name: sum(map(min, zip(*(run[name] for run in alone)))) for name in calls},
        rates=rate,
        bandwidth=max(bandwidths),
    )
    if torch.device(device).type == "cuda":
        for size in BATCHES:
            many = detector.data_preprocessor(collate([sample] * size), False)
            with torch.no_grad():
                runs = [_stage_seconds(detector, many, amp, device) for _ in range(repeat + 1)]
            found.batches[size] = min(sum(run.values()) for run in runs)
    if train:
        runs = [_training_seconds(detector, batch, amp, device) for _ in range(repeat)]
        found.training = {name: min(run[name] for run in runs) for name in runs[0]}
    return found


def _steps(detector: Detector) -> dict[str, Any]:
    """The stages and post-processing, by name."""
    return {**{name: getattr(detector, name) for name in detector.stages}, POST_PROCESSING: detector.detections}


def _recorded(detector: Detector, batch: dict, amp: str, device: str) -> dict[str, list[Call]]:
    """The calls of each stage, recorded in one run."""
    calls, data = {}, batch
    with autocast(device, amp):
        for name, step in _steps(detector).items():
            with Recorder(detector) as recorder:
                data = step(data)
            calls[name] = recorder.calls
    return calls


def _stage_seconds(detector: Detector, batch: dict, amp: str, device: str) -> dict[str, float]:
    times, data = {}, [batch]

    def run(step: Callable[[Any], Any]) -> None:
        data.append(step(data.pop()))

    with autocast(device, amp):
        for name, step in _steps(detector).items():
            times[name] = seconds(partial(run, step), device)
    return times


def _training_seconds(detector: Detector, batch: dict, amp: str, device: str) -> dict[str, float]:
    detector.train().zero_grad()
    losses: list[torch.Tensor] = []

    def forward() -> None:
        with autocast(device, amp):
            found = detector(mode="loss", **batch)
        losses.append(sum(value for name, value in found.items() if "loss" in name))

    return {"forward": seconds(forward, device), "backward": seconds(lambda: losses[0].backward(), device)}


def report(found: Measured) -> str:
    """The table of the stages and the summary lines below it."""
    rows = [_row(name, found, [name]) for name in found.stages]
    rows.append(_row("total", found, list(found.stages)))
    alone = sum(found.alone.values())
    peaks = [f"{str(dtype)[6:]} {rate / 1e9:.0f} Gflop/s" for dtype, rate in found.rates.items()]
    lines = [
        format_table(STAGE_HEADERS, rows),
        f"peak rates: {', '.join([*peaks, f'copy {found.bandwidth / 1e9:.1f} GB/s'])}",
        f"convolutions alone: {alone * 1e3:.1f} ms; total / convolutions alone: {found.total / alone:.2f}",
    ]
    if found.training:
        forward, backward = found.training["forward"], found.training["backward"]
        both = forward + backward
        lines.append(
            f"training: {both * 1e3:.1f} ms, forward {forward * 1e3:.1f}, backward {backward * 1e3:.1f}; "
            f"training / inference: {both / found.total:.2f}"
        )
    lines += [f"batch {n}: {time * 1e3:.1f} ms, {n / time:.1f} frames/s" for n, time in found.batches.items()]
    return "\n".join(lines)


def _row(title: str, found: Measured, stages: list[str]) -> list[Any]:
    calls = [call for name in stages for call in found.calls[name]]
    time, alone, floor = (sum(times[name] for name in stages) for times in (found.stages, found.alone, found.floors))
    flops, moved = sum(call.flops for call in calls), sum(call.moved for call in calls)
    share, multiple = time / found.total, time / floor if floor else None
    return [title, time * 1e3, share, alone * 1e3, flops / 1e9, moved / 1e6, floor * 1e3, multiple]
