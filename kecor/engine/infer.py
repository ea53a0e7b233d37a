"""Run a detector over frames, in eval mode and without gradients."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import torch
from mmengine.model import BaseModel

from kecor.datasets.samples import Samples
from kecor.detectors.dropout_passes import DropoutPasses
from kecor.engine import launch
from kecor.engine.device import autocast
from kecor.engine.loading import inference_loader
from kecor.errors import KecorError
from kecor.progress import progress_bar
from kecor.structures import Detections, FrameOutputs


def predict(
    detector: BaseModel,
    samples: Samples,
    *,
    device: str,
    batch_size: int = 4,
    amp: str = "none",
    progress: str | None = "evaluate",
) -> dict[str, Detections]:
    """The detections of every frame by its id, in the order of ``samples``.

    With several processes each runs its share of the frames and all get the whole.

    Args:
        progress: what the progress bar is called; None shows none.
    """
    indices = launch.shard(range(len(samples)))
    found: dict[str, Detections] = {}
    for ids, outputs in _batches(detector, samples, indices, _detect, device, batch_size, amp, progress):
        found.update(zip(ids, outputs, strict=True))
    merged = launch.merge(found)
    return {frame_id: merged[frame_id] for frame_id in samples.ids}


def describe_batches(
    detector: BaseModel,
    samples: Samples,
    *,
    device: str,
    batch_size: int,
    n_rois: int,
    amp: str = "none",
    dropout: DropoutPasses | None = None,
    progress: str | None = None,
) -> Iterator[tuple[list[str], list[FrameOutputs]]]:
    """Yield, per batch, the frame ids and the detector's output for each frame, in the order of ``samples``.

    With several processes each gets every frame it asks for: give each a part (:func:`kecor.engine.launch.shard`).

    Args:
        dropout: the passes whose answers are wanted too; None for none.

    Raises:
        KecorError: ``dropout`` is given and the detector has no such passes.
    """
    options = {} if dropout is None else {"dropout": dropout}
    if not options.keys() <= inspect.signature(detector.describe).parameters.keys():
        raise KecorError(f"{type(detector).__name__} has no dropout passes: choose a method that does not need them")

    def describe(detector: BaseModel, batch: dict[str, Any]) -> list[FrameOutputs]:
        return detector.describe(batch, n_rois, **options)

    yield from _batches(detector, samples, range(len(samples)), describe, device, batch_size, amp, progress)


def _detect(detector: BaseModel, batch: dict[str, Any]) -> list[Detections]:
    return detector.test_step(batch)


def _batches(
    detector: BaseModel,
    samples: Samples,
    indices: range | list[int],
    run: Callable[[BaseModel, dict[str, Any]], list],
    device: str,
    batch_size: int,
    amp: str,
    progress: str | None,
) -> Iterator[tuple[list[str], list]]:
    detector.to(device)
    was_training = detector.training
    detector.eval()
    shown = progress is not None and launch.is_main()
    try:
        with progress_bar(progress or "", len(indices), "frame", shown=shown) as bar:
            for batch in inference_loader(samples, batch_size, indices):
                with torch.no_grad(), autocast(device, amp):
                    outputs = run(detector, batch)
                yield batch["frame_ids"], outputs
                bar.update(len(outputs))
    finally:
        detector.train(was_training)
