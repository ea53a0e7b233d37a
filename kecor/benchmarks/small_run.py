"""A small active-learning run in a process of its own, and what it ended with."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import time
import traceback
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from kecor import run_dir
from kecor.errors import KecorError

LIMIT = 120.0
"""Seconds after which a run counts as hanging."""
PRELOADED = ["kecor.active.loop", "kecor.datasets.kitti.dataset", "kecor.evaluation.kitti", "torch._dynamo"]
"""What takes seconds to import."""
SETTINGS = [
    "data.classes=[Car, Pedestrian]",
    "data.point_cloud_range=[0, -12.8, -3, 25.6, 12.8, 1]",
    "data.voxels={size: [0.4, 0.4, 0.1], max_train: 4000, max_test: 4000}",
    "data.augmentation=[{type: gt_sampling, counts: {Car: 1}}, {type: flip}]",
    "data.camera_view=false",
    "detector.backbone_3d={in_channels: 4, channels: [4, 4, 4, 8, 8], out_channels: 8}",
    "detector.backbone_2d={layers: [1, 1], strides: [1, 2], filters: [8, 8], up_strides: [1, 2], up_filters: [8, 8]}",
    "detector.post_processing.score_threshold=0.005",
    "detector.post_processing.post_nms=16",
    "schedule.epochs=2",
    "active={initial: 3, rounds: 1, amount: 2, n_rois: 8}",
    "acquisition={type: kecor, kernel: {steps: 20, require_convergence: false}}",
]
"""A detector of a few thousand weights and one purchase with KECOR: seconds a run."""


@dataclass(frozen=True)
class Ending:
    """How a start of the run ended: ``done``, ``killed``, ``refused``, ``crashed`` or ``hung``; after ``seconds``."""

    kind: str
    message: str = ""
    seconds: float = 0.0


def start_until(data: Path, folder: Path, kill_after: float | None = None) -> Ending:
    """Start or resume the run in ``folder`` and kill it, as ``kill -9`` does, ``kill_after`` seconds into the work.

    The process comes from a fork server: its libraries are loaded, its threads are its own.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, *PRELOADED])
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(data, folder, sender))
    process.start()
    sender.close()
    try:
        receiver.recv()  # the work begins
        begun = time.perf_counter()
        if receiver.poll(LIMIT if kill_after is None else kill_after):
            kind, message = receiver.recv()
            return Ending(kind, message, time.perf_counter() - begun)
        process.kill()
        return Ending("hung" if kill_after is None else "killed")
    except EOFError:
        return Ending("crashed", "the process is gone")
    finally:
        process.join()
        receiver.close()


def _work(data: Path, folder: Path, sender: Connection) -> None:
    import torch

    from kecor.active import loop
    from kecor.config import load_config

    torch.set_num_threads(1)
    setattr(loop, "update_report", lambda *_: None)  # noqa: B010 - pictures take half of the time
    config = load_config("simulated/second_small.yaml", [*SETTINGS, f"data.root={data}"])
    sender.send("begun")
    try:
        loop.run(config, folder, resume=True, progress=False, log=lambda message: None)
        ending = "done", ""
    except KecorError as error:
        ending = "refused", str(error)
    except BaseException:
        ending = "crashed", traceback.format_exc()
    sender.send(ending)


def outcome(folder: Path) -> dict[str, Any]:
    """Final state without its seconds, picks and metrics as they stand on disk, and the weights' fingerprints."""
    from kecor.engine.checkpoints import read_checkpoint

    state = json.loads((folder / run_dir.STATE).read_text())
    kept = ("settings", "split_digest", "seed", "method", "frames", "boxes", "round", "stage", "label_digests")
    found: dict[str, Any] = {key: state[key] for key in kept}
    for name in (run_dir.SELECTION, run_dir.METRICS):
        found |= {str(path.relative_to(folder)): path.read_text() for path in folder.glob(f"{run_dir.ROUNDS}/{name}")}
    weights = hashlib.sha256()
    last = max(folder.glob(f"{run_dir.ROUNDS}/{run_dir.CHECKPOINT}"))
    for name, tensor in read_checkpoint(last)["state_dict"].items():
        weights.update(name.encode() + tensor.numpy().tobytes())
    return {**found, str(last.relative_to(folder)): weights.hexdigest()}
