"""What happens around each iteration and epoch of a training: seeding, checking, recording."""

from __future__ import annotations

import math
import sys
import time
from dataclasses import dataclass, field

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner
from tqdm import tqdm

from kecor.engine import launch
from kecor.errors import KecorError


@dataclass
class History:
    """What a training has done so far, over all its resumptions: mean loss of each epoch, seconds at work."""

    losses: list[float] = field(default_factory=list)
    seconds: float = 0.0


class SeedHook(Hook):
    """Seed torch's default generator (dropout) from (seed, epoch, rank), so that a resumed epoch draws the same."""

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def before_train_epoch(self, runner: Runner) -> None:
        state = np.random.SeedSequence([self.seed, runner.epoch, launch.rank()]).generate_state(1, np.uint64)
        torch.manual_seed(int(state[0] >> np.uint64(1)))


class DivergenceHook(Hook):
    """Stop at the first loss or gradient that is not finite, before anything is saved.

    ``fp16`` gradients may overflow: its loss scaling skips such a step, so only the loss counts there.
    """

    def __init__(self, amp: str) -> None:
        self.amp = amp

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        losses = as_floats(outputs or {})
        wrong = [f"{name} is {value}" for name, value in losses.items() if not math.isfinite(value)]
        norm = gradient_norm(runner)
        if self.amp != "fp16" and not math.isfinite(norm):
            wrong.append(f"the gradient's norm is {norm}")
        if wrong:
            raise KecorError(
                f"training diverged in epoch {runner.epoch + 1}, iteration {runner.iter + 1} of {runner.max_iters}, "
                f"on frames {', '.join(frame_ids(data_batch))}: {', '.join(wrong)}. Lower schedule.lr or "
                "schedule.grad_clip, or check these frames; the checkpoint of the last good epoch is kept"
            )


class RecordHook(Hook):
    """Keep the history; show one progress bar; write TensorBoard scalars each iteration and a log line each epoch."""

    def __init__(self, history: History, frames: int, progress: bool) -> None:
        self.history = history
        self.frames = frames
        self.progress = progress and launch.is_main()
        self.bar = tqdm(disable=True)

    def before_train(self, runner: Runner) -> None:
        self.bar = tqdm(
            total=self.frames * runner.max_epochs,
            initial=self.frames * runner.epoch,
            unit="frame",
            disable=not self.progress,
            dynamic_ncols=True,
            mininterval=0.2 if sys.stderr.isatty() else 30.0,
        )

    def before_train_epoch(self, runner: Runner) -> None:
        self.started = time.monotonic()
        self.epoch_losses: list[float] = []
        self.bar.set_description(f"epoch {runner.epoch + 1}/{runner.max_epochs}", refresh=False)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        scalars = {f"train/{name}": value for name, value in as_floats(outputs or {}).items()}
        self.epoch_losses.append(scalars["train/loss"])
        group = runner.optim_wrapper.param_groups[0]
        scalars |= {"lr": group["lr"], "momentum": group["betas"][0], "gradient_norm": gradient_norm(runner)}
        runner.visualizer.add_scalars(scalars, step=runner.iter)
        self.bar.set_postfix(loss=f"{scalars['train/loss']:.3f}", refresh=False)
        seen = len(frame_ids(data_batch)) * launch.world_size()
        self.bar.update(min(seen, self.frames * (runner.epoch + 1) - self.bar.n))

    def after_train_epoch(self, runner: Runner) -> None:
        seconds = max(time.monotonic() - self.started, 1e-9)
        loss = launch.mean(float(np.mean(self.epoch_losses)), runner.device)
        self.history.losses.append(loss)
        self.history.seconds += seconds
        runner.visualizer.add_scalar("train/epoch_loss", loss, step=runner.epoch + 1)
        runner.logger.info(
            f"epoch {runner.epoch + 1}/{runner.max_epochs} loss {loss:.4f} {self.frames / seconds:.1f} frames/s"
        )

    def close(self) -> None:
        """Leave the bar as it stands, however the training ended."""
        self.bar.close()


def as_floats(outputs: dict[str, torch.Tensor]) -> dict[str, float]:
    """What a training step returned, as plain numbers."""
    return {name: float(value.detach()) for name, value in outputs.items()}


def frame_ids(data_batch: dict | None) -> list[str]:
    """The ids of the frames in a batch."""
    return data_batch["frame_ids"] if data_batch else []


def gradient_norm(runner: Runner) -> float:
    """The total norm of the last gradient, before it was clipped."""
    return float(runner.message_hub.get_scalar("train/grad_norm").current())
