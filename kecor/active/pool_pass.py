"""The pool pass: run the trained detector over frames and keep what an acquisition function needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kecor.active.oracle import SimulatedOracle
from kecor.config import DataConfig
from kecor.datasets.samples import Samples
from kecor.detectors.dropout_passes import DropoutPasses
from kecor.detectors.targets.proxy_targets import proxy_targets
from kecor.engine import launch
from kecor.engine.infer import describe_batches
from kecor.errors import CheckpointError
from kecor.frame_sets.store import COUNTS, FrameSetWriter
from kecor.progress import progress_bar
from kecor.structures import FrameOutputs

DETECTION_ARRAYS = ("boxes", "scores", "labels", "logits", "n_points")
ROI_ARRAYS: dict[str, dict[str, type]] = {
    "roi_features": {"roi_features": np.float16, "roi_scores": np.float32, "roi_logits": np.float32},
    "dropout_passes": {"roi_scores": np.float32, "pass_logits": np.float32, "pass_boxes": np.float32},
}
"""Need -> fields of FrameOutputs it stores, beside ``roi_mask``, and their types."""
CHECKED = ("roi_features", "embedding", "pass_logits", "pass_boxes")
"""Arrays that must be finite."""


def pool_pass(
    load_detector: Callable[[], Any],
    oracle: SimulatedOracle,
    ids: Sequence[str],
    folder: Path,
    needs: frozenset[str],
    data: DataConfig,
    *,
    labelled: bool,
    device: str,
    batch_size: int,
    n_rois: int,
    amp: str,
    dropout: DropoutPasses,
    progress: bool,
) -> None:
    """Write the frame set of ``ids`` to ``folder``: what ``needs`` names, computed in eval mode without augmentation.

    Frames are read without labels. Where they are ``labelled`` and RoI features are needed, the set also holds
    ``targets`` (N, R, classes + 7), made from bought labels. Chunks are shared among processes, and a killed pass
    continues where it was; ``load_detector`` is called only when a chunk is missing.

    Raises:
        CheckpointError: the detector gives features that are not finite.
        KecorError: dropout passes are needed and the detector has none.
    """
    passes = dropout if "dropout_passes" in needs else None
    with_targets = labelled and "roi_features" in needs
    names = [*needs, *(["targets"] if with_targets else [])]
    writer = launch.first_on_main(lambda: FrameSetWriter(folder, ids, names))
    missing = launch.first_on_main(lambda: list(writer.missing()))
    if missing:
        detector, mine = load_detector(), launch.shard(missing)
        total = sum(len(chunk) for _, chunk in mine)
        with progress_bar("pool", total, "frame", shown=progress and launch.is_main()) as bar:
            for number, chunk in mine:
                samples = Samples(oracle.read_unlabelled, chunk, data, training=False)
                outputs: list[FrameOutputs] = []
                for _, batch in describe_batches(
                    detector, samples, device=device, batch_size=batch_size, n_rois=n_rois, amp=amp, dropout=passes
                ):
                    outputs += batch
                    bar.update(len(batch))
                arrays = _arrays(chunk, outputs, needs, n_rois)
                if with_targets:
                    arrays["targets"] = _targets(oracle, chunk, outputs, n_rois, data.classes)
                writer.write_chunk(number, arrays)
    launch.barrier()
    launch.first_on_main(writer.finish)


def _arrays(
    ids: Sequence[str], outputs: list[FrameOutputs], needs: frozenset[str], n_rois: int
) -> dict[str, np.ndarray]:
    """One chunk's arrays by name: RoIs padded with zeros to ``n_rois``, detections end to end with their counts."""
    arrays: dict[str, np.ndarray] = {}
    for need, kinds in ROI_ARRAYS.items():
        if need in needs:
            arrays |= {name: _padded([getattr(o, name) for o in outputs], n_rois, t) for name, t in kinds.items()}
            arrays["roi_mask"] = np.arange(n_rois) < np.array([len(o.roi_boxes) for o in outputs])[:, None]
    if "embedding" in needs:
        arrays["embedding"] = np.stack([o.embedding for o in outputs]).astype(np.float32)
    for name in CHECKED:
        for frame_id, row in zip(ids, arrays.get(name, ())):
            if not np.isfinite(row).all():
                raise CheckpointError(
                    f"frame {frame_id}: the detector gives {name} that are not finite in {row.dtype}; its training "
                    f"has probably diverged: lower schedule.lr and start again"
                )
    if "detections" in needs:
        found = [o.detections for o in outputs]
        arrays[COUNTS] = np.array([len(d) for d in found], np.int64)
        for name in DETECTION_ARRAYS:
            parts = [getattr(d, name) for d in found]
            if all(part is not None for part in parts):
                arrays[f"det_{name}"] = np.concatenate(parts)
    return arrays


def _padded(rows: list[np.ndarray], length: int, dtype: type) -> np.ndarray:
    """(N, length, ...) with each of ``rows`` (R_i, ...) at the front, R_i at most ``length``, zeros behind."""
    padded = np.zeros((len(rows), length, *rows[0].shape[1:]), dtype)
    for i, row in enumerate(rows):
        padded[i, : len(row)] = row
    return padded


def _targets(
    oracle: SimulatedOracle, ids: Sequence[str], outputs: list[FrameOutputs], n_rois: int, classes: Sequence[str]
) -> np.ndarray:
    """(N, R, classes + 7) float32: what the detector head should say of each RoI of bought frames; zeros elsewhere."""
    targets = np.zeros((len(ids), n_rois, len(classes) + 7), np.float32)
    for row, (frame_id, found) in enumerate(zip(ids, outputs)):
        boxes, names = oracle.read_labels(frame_id)
        labels = np.array([list(classes).index(name) for name in names], np.int64)
        rois = np.asarray(found.roi_boxes, np.float32)
        targets[row, : len(rois)] = proxy_targets(rois, found.roi_labels, boxes, labels, len(classes))
    return targets
