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
from kecor.detectors.targets.claimed_objects import claimed_objects
from kecor.detectors.targets.proxy_targets import proxy_targets
from kecor.engine import launch
from kecor.engine.infer import describe_batches
from kecor.errors import CheckpointError
from kecor.frame_sets.store import COUNTS, FrameSetWriter
from kecor.progress import progress_bar
from kecor.structures import FrameOutputs

DETECTION_ARRAYS = ("boxes", "scores", "labels", "logits", "n_points")
ROI_ARRAYS: dict[str, dict[str, type]] = {
    "roi_scores": {},
    "roi_features": {"roi_features": np.float16, "roi_logits": np.float32},
    "dropout_passes": {"pass_logits": np.float32, "pass_boxes": np.float32},
}
"""Need -> fields of FrameOutputs it stores, beside :data:`EACH_ROI` and ``roi_mask``, and their types."""
EACH_ROI: dict[str, type] = {"roi_scores": np.float32, "roi_labels": np.int8}
"""Fields of FrameOutputs that every need of RoIs stores: what calibration reads."""
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

    Frames are read without labels. Where they are ``labelled`` and RoIs are needed, the set also holds ``objects``
    (N, R) and ``true_counts`` (N, classes) and, with RoI features, ``targets`` (N, R, classes + 7), made from bought
    labels. Chunks are shared among processes, and a killed pass
    continues where it was; ``load_detector`` is called only when a chunk is missing.

    Raises:
        CheckpointError: the detector gives features that are not finite.
        KecorError: dropout passes are needed and the detector has none.
    """
    passes = dropout if "dropout_passes" in needs else None
    with_targets = labelled and "roi_features" in needs
    with_objects = labelled and bool(ROI_ARRAYS.keys() & needs)
    made = {"targets": with_targets, "objects": with_objects, "roi_labels": bool(ROI_ARRAYS.keys() & needs)}
    names = [*needs, *(name for name, is_made in made.items() if is_made)]
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
                truth = [_truth(oracle, i, data.classes) for i in chunk] if with_objects else []
                if with_targets:
                    arrays["targets"] = _targets(truth, outputs, n_rois, len(data.classes))
                if with_objects:
                    arrays |= _objects(truth, outputs, n_rois, len(data.classes))
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
            fields = (EACH_ROI | kinds).items()
            arrays |= {name: _padded([getattr(o, name) for o in outputs], n_rois, t) for name, t in fields}
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


def _truth(oracle: SimulatedOracle, frame_id: str, classes: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """True boxes (M, 7) of a bought frame and their 0-based classes (M,)."""
    boxes, names = oracle.read_labels(frame_id)
    return boxes, np.array([list(classes).index(name) for name in names], np.int64)


def _targets(
    truth: list[tuple[np.ndarray, np.ndarray]], outputs: list[FrameOutputs], n_rois: int, n_classes: int
) -> np.ndarray:
    """(N, R, classes + 7) float32: what the detector head should say of each RoI of bought frames; zeros elsewhere."""
    targets = np.zeros((len(truth), n_rois, n_classes + 7), np.float32)
    for row, ((boxes, labels), found) in enumerate(zip(truth, outputs)):
        rois = np.asarray(found.roi_boxes, np.float32)
        targets[row, : len(rois)] = proxy_targets(rois, found.roi_labels, boxes, labels, n_classes)
    return targets


def _objects(
    truth: list[tuple[np.ndarray, np.ndarray]], outputs: list[FrameOutputs], n_rois: int, n_classes: int
) -> dict[str, np.ndarray]:
    """``objects`` (N, R), the RoIs that claim a true box, and ``true_counts`` (N, classes) of bought frames."""
    objects = np.zeros((len(truth), n_rois), bool)
    for row, ((boxes, labels), found) in enumerate(zip(truth, outputs)):
        claims = claimed_objects(found.roi_boxes, found.roi_scores, found.roi_labels, boxes, labels)
        objects[row, : len(claims)] = claims
    counts = [np.bincount(labels, minlength=n_classes) for _, labels in truth]
    return {"objects": objects, "true_counts": np.array(counts, np.int64)}
