"""One look of the trained detector at the frames of a round: what an acquisition function sees of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kecor.active.feature_store import FeatureStore
from kecor.active.oracle import SimulatedOracle
from kecor.config import DataConfig
from kecor.datasets.samples import Samples
from kecor.detectors.dropout_passes import DropoutPasses
from kecor.detectors.roi_targets import roi_targets
from kecor.engine import launch
from kecor.engine.infer import describe_batches
from kecor.errors import CheckpointError
from kecor.progress import progress_bar
from kecor.structures import Detections, FrameOutputs, FrameSet

DETECTION_ARRAYS = ("boxes", "scores", "labels", "logits", "n_points")
BY_ROI = {
    "roi_features": {
        "roi_features": np.float16,
        "roi_scores": np.float32,
        "roi_boxes": np.float32,
        "roi_logits": np.float32,
        "roi_labels": np.int64,
    },
    "dropout_passes": {"roi_scores": np.float32, "pass_logits": np.float32, "pass_boxes": np.float32},
}
"""Arrays with a row for each RoI that each need brings, beside ``roi_mask``: fields of FrameOutputs and their types."""


def pool_pass(
    load_detector: Callable[[], Any],
    oracle: SimulatedOracle,
    ids: Sequence[str],
    folder: Path,
    needs: frozenset[str],
    data: DataConfig,
    *,
    device: str,
    batch_size: int,
    n_rois: int,
    amp: str,
    dropout: DropoutPasses,
    progress: bool,
) -> FeatureStore:
    """Run the detector in eval mode, without augmentation and without labels, over ``ids``; keep what ``needs`` names.
    Where that is ``dropout_passes``, they are those of ``dropout``.

    The results go to ``folder`` chunk by chunk, so that a killed pass goes on where it was. Several processes share
    the chunks; ``folder`` must be one they all see. ``load_detector`` is called only when a chunk is missing.

    Raises:
        CheckpointError: the detector gives features that are not finite.
        KecorError: dropout passes are needed and the detector has none.
    """
    settings = {"device": device, "batch_size": batch_size, "n_rois": n_rois, "amp": amp}
    if "dropout_passes" in needs:
        settings["dropout"] = dropout
    store = launch.first_on_main(lambda: FeatureStore(folder, ids, sorted(needs)))
    missing = launch.first_on_main(lambda: list(store.missing()))
    if missing:
        detector, mine = load_detector(), launch.shard(missing)
        shown = progress and launch.is_main()
        total = sum(len(chunk) for _, chunk in mine)
        with progress_bar("pool", total, "frame", shown=shown) as bar:
            for number, chunk in mine:
                samples = Samples(oracle.read_unlabelled, chunk, data, training=False)
                outputs: list[FrameOutputs] = []
                for _, batch in describe_batches(detector, samples, **settings):
                    outputs += batch
                    bar.update(len(batch))
                store.write_chunk(number, _arrays(chunk, outputs, needs, n_rois))
    launch.barrier()
    return store


def frame_sets(
    store: FeatureStore, n_pool: int, oracle: SimulatedOracle, classes: Sequence[str]
) -> tuple[FrameSet, FrameSet]:
    """The pool and the labelled frames of a finished pass over first the one, ``n_pool`` frames, and then the other.

    Where there are RoI features, the labelled set also has ``targets`` (N, R, classes + 7) float32.
    """
    arrays = store.arrays()
    detections = _split_detections(arrays, len(store.ids))
    boxes, labels = arrays.pop("roi_boxes", None), arrays.pop("roi_labels", None)
    pool, labelled = (
        FrameSet(store.ids[part], {name: a[part] for name, a in arrays.items()}, detections[part])
        for part in (slice(None, n_pool), slice(n_pool, None))
    )
    if boxes is not None:
        rows = zip(labelled.ids, boxes[n_pool:], labels[n_pool:], labelled.feats["roi_mask"])
        labelled.feats["targets"] = np.stack([_targets(oracle, i, b, k, mask, classes) for i, b, k, mask in rows])
    return pool, labelled


def stored_detections(store: FeatureStore) -> dict[str, Detections]:
    """The detections of a finished pass by frame id; empty when it kept none."""
    return dict(zip(store.ids, _split_detections(store.arrays(), len(store.ids))))


def _arrays(
    ids: Sequence[str], outputs: list[FrameOutputs], needs: frozenset[str], n_rois: int
) -> dict[str, np.ndarray]:
    """One chunk's arrays by name: RoIs padded with zeros to ``n_rois``, detections end to end with their counts."""
    arrays: dict[str, np.ndarray] = {}
    for need, kinds in BY_ROI.items():
        if need in needs:
            arrays |= {name: _padded([getattr(o, name) for o in outputs], n_rois, t) for name, t in kinds.items()}
            arrays["roi_mask"] = np.arange(n_rois) < np.array([len(o.roi_boxes) for o in outputs])[:, None]
    if "embedding" in needs:
        arrays["embedding"] = np.stack([o.embedding for o in outputs]).astype(np.float32)
    for name in ("roi_features", "embedding", "pass_logits", "pass_boxes"):
        for frame_id, row in zip(ids, arrays.get(name, ())):
            if not np.isfinite(row).all():
                raise CheckpointError(
                    f"frame {frame_id}: the detector gives {name} that are not finite in {row.dtype}; its training "
                    f"has probably diverged: lower schedule.lr and start again"
                )
    if "detections" in needs:
        found = [o.detections for o in outputs]
        arrays["detections_count"] = np.array([len(d) for d in found], np.int64)
        for name in DETECTION_ARRAYS:
            parts = [getattr(d, name) for d in found]
            if all(part is not None for part in parts):
                arrays[f"detections_{name}"] = np.concatenate(parts)
    return arrays


def _padded(rows: list[np.ndarray], length: int, dtype: type) -> np.ndarray:
    """(N, length, ...) with each of ``rows`` (R_i, ...) at the front, R_i at most ``length``, zeros behind."""
    padded = np.zeros((len(rows), length, *rows[0].shape[1:]), dtype)
    for i, row in enumerate(rows):
        padded[i, : len(row)] = row
    return padded


def _split_detections(arrays: dict[str, np.ndarray], n_frames: int) -> list[Detections]:
    """One :class:`Detections` a frame, taken out of ``arrays``; empty when the pass kept none."""
    if "detections_count" not in arrays:
        return []
    ends = np.cumsum(arrays.pop("detections_count"))[:-1]
    columns = {name: arrays.pop(f"detections_{name}", None) for name in DETECTION_ARRAYS}
    parts = {name: [None] * n_frames if a is None else np.split(a, ends) for name, a in columns.items()}
    return [Detections(**{name: part[i] for name, part in parts.items()}) for i in range(n_frames)]


def _targets(
    oracle: SimulatedOracle,
    frame_id: str,
    boxes: np.ndarray,
    labels: np.ndarray,
    mask: np.ndarray,
    classes: Sequence[str],
) -> np.ndarray:
    """(R, classes + 7) targets of one labelled frame's RoIs, zeros where there is no RoI."""
    frame = oracle.read(frame_id)
    truth = np.array([list(classes).index(name) for name in frame.names], np.int64)
    targets = np.zeros((len(mask), len(classes) + 7), np.float32)
    targets[mask] = roi_targets(boxes[mask], labels[mask], frame.boxes, truth, len(classes))
    return targets
