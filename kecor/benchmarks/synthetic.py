"""Synthetic frames for benchmarks: float16 RoI features on disk, in clusters like the frames of a drive."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from kecor.progress import progress_bar
from kecor.structures import FrameSet

CLUSTERS, OUTPUTS = 300, 10
CHUNK = 256
"""Frames generated and written at once."""


def write_frames(folder: Path, n: int, rois: int, channels: int, seed: int) -> None:
    """Write ``n`` frames to ``folder``. The clusters and the map to the targets do not depend on ``seed``."""
    folder.mkdir()
    shared, draw = np.random.default_rng(0), np.random.default_rng(seed)
    centres = torch.from_numpy(shared.standard_normal((CLUSTERS, 1, channels), np.float32) / 2)
    noise = torch.from_numpy(shared.standard_normal((1 << 14, channels), np.float32))
    weights = torch.from_numpy(shared.standard_normal((channels, OUTPUTS), np.float32) / channels**0.5)
    shape, open_new = (n, rois), np.lib.format.open_memmap
    features = open_new(folder / "roi_features.npy", "w+", np.float16, (*shape, channels))
    targets = open_new(folder / "targets.npy", "w+", np.float16, (*shape, OUTPUTS))
    with progress_bar(f"write {folder.name}", n, "frame", delay=3.0) as bar:
        for start in range(0, n, CHUNK):
            count = min(CHUNK, n - start)
            kind = torch.from_numpy(draw.integers(CLUSTERS, size=count))
            x = noise[torch.from_numpy(draw.integers(len(noise), size=(count, rois)))] + centres[kind]
            features[start : start + count] = x.half().numpy()
            targets[start : start + count] = torch.tanh(x @ weights).half().numpy()
            bar.update(count)
    np.save(folder / "roi_scores.npy", draw.random(shape, np.float32) ** 4)
    np.save(folder / "entropy.npy", np.log(3) * draw.random(n))


def frames_in(folder: Path, n: int | None = None) -> FrameSet:
    """The first ``n`` frames of a folder, memory-mapped."""
    names = ("roi_features", "targets", "roi_scores")
    feats = {name: np.load(folder / f"{name}.npy", mmap_mode="r")[:n] for name in names}
    count = len(feats["targets"])
    feats["roi_mask"] = np.ones(feats["roi_scores"].shape, bool)
    ids = np.char.add(folder.name, np.char.zfill(np.arange(count).astype(str), 7))
    return FrameSet(ids, feats, meta={"entropy": np.load(folder / "entropy.npy")[:n]})


def bonus_of(frames: FrameSet) -> np.ndarray:
    """(N,) half the class entropy of each frame, the term that KECOR adds by default."""
    return 0.5 * frames.meta["entropy"]
