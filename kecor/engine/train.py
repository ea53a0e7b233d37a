"""Train a detector on given frames, so that a kill at any moment costs at most the epoch it hit."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.model import BaseModel
from mmengine.optim import AmpOptimWrapper, OptimWrapper

from kecor import run_dir
from kecor.config import ScheduleConfig
from kecor.datasets.samples import Samples
from kecor.detectors.pretrained import load_weights, purpose_in
from kecor.detectors.purpose import check_purpose
from kecor.engine import launch
from kecor.engine.checkpoints import read_checkpoint, save_checkpoint
from kecor.engine.device import autocast
from kecor.engine.hooks import DivergenceHook, History, RecordHook, SeedHook
from kecor.engine.loading import training_loader
from kecor.engine.mmengine_cures import Bf16OptimWrapper, QuietRunner
from kecor.engine.one_cycle import OneCycleHook
from kecor.engine.resume import EpochCheckpoints, ResumeHook, check_same_run, run_facts
from kecor.errors import DataError

ADAM_BETA2 = 0.99  # as in fastai's one-cycle training and the published SECOND and PV-RCNN schedules


@dataclass(frozen=True)
class TrainResult:
    """Where the trained weights are, how long it took (over all resumptions), the mean loss of each epoch."""

    checkpoint: Path
    seconds: float
    losses: list[float]


def train(
    detector: BaseModel,
    samples: Samples,
    schedule: ScheduleConfig,
    work_dir: Path,
    *,
    device: str,
    seed: int,
    launcher: str = "none",
    progress: bool = True,
    resume: bool = True,
) -> TrainResult:
    """Train ``detector`` from the weights it has, in place, and leave it in eval mode.

    Adam with decoupled weight decay (Loshchilov & Hutter 2019), one-cycle rate and momentum, clipped gradients.
    Writes ``checkpoint.pth``, ``train.log`` and ``tensorboard/`` into ``work_dir``. The result is a function of the
    arguments: a run that was killed and resumed ends with the same bits on a CPU. A finished training is not
    repeated: its checkpoint is loaded. With ``resume=False`` whatever training the folder holds is thrown away.

    Raises:
        ConfigError: the schedule cannot be followed. DataError: there is no frame, or one cannot be read.
        StateError: the folder holds another training. CheckpointError: its checkpoint does not fit or is damaged.
        KecorError: the loss or the gradient stops being finite.
    """
    if len(samples) == 0:
        raise DataError("there is no frame to train on: the training split or the labelled set is empty")
    device = launch.join(launcher, device)
    autocast(device, schedule.amp)
    work_dir = Path(work_dir)
    final = work_dir / run_dir.CHECKPOINT
    checkpoints = EpochCheckpoints(work_dir)
    facts = run_facts(samples.ids, schedule, seed)
    if not resume and launch.is_main():
        final.unlink(missing_ok=True)
        checkpoints.clear()
    launch.barrier()
    if not final.is_file():
        history = History()
        _run(detector, samples, schedule, work_dir, device, seed, progress, ResumeHook(checkpoints, history, facts))
        launch.share_weights(detector)
        if launch.is_main():
            save_checkpoint(detector, final, {**facts, "losses": history.losses, "seconds": history.seconds})
        launch.barrier()
    meta = _finished(detector, final, facts, device)
    if launch.is_main():
        checkpoints.clear()
    return TrainResult(final, meta["seconds"], meta["losses"])


def _run(
    detector: BaseModel,
    samples: Samples,
    schedule: ScheduleConfig,
    work_dir: Path,
    device: str,
    seed: int,
    progress: bool,
    resuming: ResumeHook,
) -> None:
    detector.to(device)
    optimizer = torch.optim.AdamW(
        detector.parameters(),
        schedule.lr,
        betas=(schedule.momentum_high, ADAM_BETA2),
        weight_decay=schedule.weight_decay,
    )
    steps = None if schedule.iterations is None else schedule.iterations // schedule.epochs
    loader = training_loader(samples, schedule.batch_size, seed, steps)
    frames = len(samples) if steps is None else steps * schedule.batch_size * launch.world_size()
    record = RecordHook(resuming.history, frames, progress)
    seeded = [torch.device(device)] if device.startswith("cuda") else []
    with torch.random.fork_rng(devices=seeded):
        runner = QuietRunner(
            device,
            work_dir / run_dir.TRAIN_LOG,
            model=detector,
            work_dir=str(work_dir),
            train_dataloader=loader,
            train_cfg={"by_epoch": True, "max_epochs": schedule.epochs},
            optim_wrapper={**_precision(schedule, device), "optimizer": optimizer},
            default_hooks=dict.fromkeys(("runtime_info", "timer", "logger", "param_scheduler", "checkpoint")),
            custom_hooks=[SeedHook(seed), OneCycleHook(schedule), DivergenceHook(schedule.amp), record, resuming],
            randomness={"seed": seed},
            visualizer={
                "type": "Visualizer",
                "vis_backends": [{"type": "TensorboardVisBackend", "save_dir": str(work_dir / run_dir.TENSORBOARD)}],
            },
            experiment_name=f"train-{uuid.uuid4().hex}",
        )
        try:
            runner.train()
        finally:
            record.close()
            runner.close()
            loader.close()


def _precision(schedule: ScheduleConfig, device: str) -> dict[str, Any]:
    """The optimiser wrapper for ``schedule.amp``, with gradient clipping."""
    clipping = {"clip_grad": {"max_norm": schedule.grad_clip}}
    if schedule.amp == "bf16":
        return {"type": Bf16OptimWrapper, "device": device, **clipping}
    if schedule.amp == "fp16":
        return {"type": AmpOptimWrapper, "dtype": "float16", **clipping}
    return {"type": OptimWrapper, **clipping}


def _finished(detector: BaseModel, final: Path, facts: dict[str, Any], device: str) -> dict[str, Any]:
    """Load the final checkpoint of this training and return its ``meta``."""
    checkpoint = read_checkpoint(final)
    check_same_run(checkpoint["meta"], facts, final)
    check_purpose(checkpoint["meta"], purpose_in(detector), final)
    load_weights(detector, checkpoint["state_dict"], final)
    detector.to(device).eval()
    return checkpoint["meta"]
