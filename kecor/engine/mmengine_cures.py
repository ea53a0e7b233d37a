"""What mmengine 0.10's Runner needs to train with current PyTorch, on CPUs, many times in one process.

- It picks the device itself, starts distributed CUDA jobs only, and its data-parallel wrapper wants a CUDA index.
- Its mixed-precision wrapper refuses CPUs.
- It seeds the global generators, sets the start method of subprocesses, prints pages of log lines, writes its
  environment and config, and keeps its log, hub and visualizer in class attributes for ever.
- Its resume reads pickles, which ``torch.load`` now refuses; :mod:`kecor.engine.resume` takes its place.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import mmengine
import torch
from mmengine.logging import MessageHub, MMLogger
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import OptimWrapper
from mmengine.registry import DefaultScope
from mmengine.runner import Runner
from mmengine.visualization import Visualizer
from torch import nn

from kecor.engine import launch

LOG_FORMAT = logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%Y-%m-%d %H:%M:%S")
OWN_FOLDER = str(Path(mmengine.__file__).parent)


class Bf16OptimWrapper(OptimWrapper):
    """Runs the forward pass in bfloat16 where that is safe, on any device; bfloat16 needs no loss scaling."""

    def __init__(self, device: str, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.device_type = torch.device(device).type

    @contextlib.contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        with super().optim_context(model), torch.autocast(self.device_type, torch.bfloat16):
            yield


class QuietRunner(Runner):
    """A Runner that trains a given model on a given device and leaves the rest of the process alone.

    Args:
        device: where the model goes.
        log_file: the log's place; nothing is printed, and what mmengine itself has to say is left out.
        arguments: the Runner's own.
    """

    def __init__(self, device: str, log_file: str | Path, **arguments: Any) -> None:
        self.device = device
        self.log_file = str(log_file)
        super().__init__(**arguments)

    def setup_env(self, env_cfg: dict) -> None:
        self._rank, self._world_size = launch.rank(), launch.world_size()
        self._distributed = self._world_size > 1
        self._timestamp = "tensorboard"  # names the one folder the Runner makes in its work dir

    def set_randomness(self, seed: int, diff_rank_seed: bool = False, deterministic: bool = False) -> None:
        self._seed, self._deterministic = seed, deterministic

    def build_logger(self, log_level: int | str = "INFO", log_file: str | None = None, **kwargs: Any) -> MMLogger:
        logger = super().build_logger(log_level, self.log_file, **kwargs)
        for handler in list(logger.handlers):
            if not isinstance(handler, logging.FileHandler):
                logger.removeHandler(handler)
            handler.setFormatter(LOG_FORMAT)
            handler.addFilter(lambda record: not record.pathname.startswith(OWN_FOLDER))
        return logger

    def wrap_model(self, model_wrapper_cfg: dict | None, model: nn.Module) -> nn.Module:
        model = model.to(self.device)
        return MMDistributedDataParallel(model, broadcast_buffers=False) if self.distributed else model

    def _init_model_weights(self) -> None:
        """The model comes with its weights."""

    def load_or_resume(self) -> None:
        self.call_hook("restore")

    def _log_env(self, env_cfg: dict) -> None:
        """The environment is the caller's to log."""

    def dump_config(self) -> None:
        """The config is the caller's to write."""

    def close(self) -> None:
        """Close the log and the TensorBoard file, and drop this run from mmengine's global tables."""
        self.visualizer.close()
        for handler in self.logger.handlers:
            handler.close()
        for kind in (MMLogger, MessageHub, Visualizer, DefaultScope):
            kind._instance_dict.pop(self.experiment_name, None)
