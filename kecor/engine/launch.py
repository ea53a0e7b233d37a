"""Several processes: joining them, who is who, and bringing results together.

Without a launcher every function here still answers, for a world of one.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from kecor.engine.device import resolve_device
from kecor.errors import ConfigError
from kecor.lock import locked

LAUNCHERS = ("none", "pytorch", "slurm")
TIMEOUT = timedelta(hours=2)
"""How long ranks wait for one another, e.g. while the first one evaluates."""


def join(launcher: str, device: str) -> str:
    """Join the other processes of the job, if any and not yet done, and return this rank's own device.

    Processes talk over NCCL on CUDA and over gloo on CPUs.

    Raises:
        ConfigError: an unknown launcher, its environment variables are missing, or there are more ranks than devices.
    """
    device = resolve_device(device)
    if launcher not in LAUNCHERS:
        raise ConfigError(f"--launcher {launcher!r} is none of {', '.join(LAUNCHERS)}")
    if launcher == "none":
        if ":" in device:
            torch.cuda.set_device(device)  # kernels outside torch run on the current device
        return device
    place = _place(launcher)
    if device.startswith("cuda"):
        if place["local_rank"] >= torch.cuda.device_count():
            raise ConfigError(
                f"--launcher {launcher}: rank {place['rank']} finds {torch.cuda.device_count()} CUDA devices on its "
                f"machine and would need number {place['local_rank']}; start one process a device"
            )
        device = f"cuda:{place['local_rank']}"
        torch.cuda.set_device(device)
    if not dist.is_initialized():
        dist.init_process_group(
            "nccl" if device.startswith("cuda") else "gloo",
            init_method=place["init_method"],
            rank=place["rank"],
            world_size=place["world_size"],
            timeout=TIMEOUT,
        )
    return device


@contextlib.contextmanager
def locked_on_main(folder: Path) -> Iterator[None]:
    """Hold the lock of ``folder`` on the first process, for all of them; see :func:`kecor.lock.locked`."""
    with contextlib.ExitStack() as stack:
        first_on_main(lambda: stack.enter_context(locked(folder)))
        yield


def leave() -> None:
    """Leave the process group, if one was joined."""
    if dist.is_initialized():
        dist.destroy_process_group()


def rank() -> int:
    """This process's number, from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    """How many processes work together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def is_main() -> bool:
    """Whether this process is the one that writes files and prints."""
    return rank() == 0


def barrier() -> None:
    """Wait until every process is here."""
    if world_size() > 1:
        dist.barrier()


def shard(items: Sequence[Any]) -> list[Any]:
    """Every ``world_size``-th of ``items``, starting at this rank: together the ranks hold each item once."""
    return list(items[rank() :: world_size()])


def merge(part: Mapping[str, Any]) -> dict[str, Any]:
    """The union of every rank's ``part``, the same on all ranks."""
    if world_size() == 1:
        return dict(part)
    parts: list[Any] = [None] * world_size()
    dist.all_gather_object(parts, dict(part))
    return {key: value for one in parts for key, value in one.items()}


def mean(value: float, device: str) -> float:
    """The mean of every rank's ``value``."""
    if world_size() == 1:
        return value
    total = torch.tensor(value, dtype=torch.float64, device=device)
    dist.all_reduce(total)
    return float(total) / world_size()


def share_weights(module: torch.nn.Module) -> None:
    """Give every rank the parameters and buffers of rank 0, which alone writes checkpoints."""
    if world_size() > 1:
        for tensor in module.state_dict().values():
            dist.broadcast(tensor, 0)


def first_on_main(make: Callable[[], Any]) -> Any:
    """The result of ``make`` run on rank 0, given to all; an exception there is raised on all."""
    if world_size() == 1:
        return make()
    outcome: list[Any] = [None, None]
    if is_main():
        try:
            outcome[0] = make()
        except Exception as error:
            outcome[1] = error
    dist.broadcast_object_list(outcome, 0)
    if outcome[1] is not None:
        raise outcome[1]
    return outcome[0]


def _place(launcher: str) -> dict[str, Any]:
    """Rank, world size, local rank and meeting point from the launcher's environment."""
    names = {
        "pytorch": ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"),
        "slurm": ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID", "SLURM_JOB_NODELIST"),
    }[launcher]
    missing = [name for name in names if name not in os.environ]
    if missing:
        start = "torchrun --nproc_per_node=N" if launcher == "pytorch" else "srun python"
        raise ConfigError(f"--launcher {launcher}: {', '.join(missing)} not set; start with `{start} tools/...`")
    own, size, local = (int(os.environ[name]) for name in names[:3])
    meeting = "env://"
    if launcher == "slurm":
        host = os.environ.get("MASTER_ADDR") or _first_host(os.environ["SLURM_JOB_NODELIST"])
        meeting = f"tcp://{host}:{os.environ.get('MASTER_PORT') or _port_of_job()}"
    return {"rank": own, "world_size": size, "local_rank": local, "init_method": meeting}


def _port_of_job() -> int:
    """A port that all processes of a Slurm job step agree on and other jobs of the same host seldom use."""
    job, step = (int(os.environ.get(name, "0")) for name in ("SLURM_JOB_ID", "SLURM_STEP_ID"))
    return 20_000 + (31 * job + step) % 10_000


def _first_host(nodes: str) -> str:
    """The first host of a Slurm node list such as ``gpu[01-04]``."""
    listed = subprocess.run(["scontrol", "show", "hostnames", nodes], capture_output=True, text=True, check=True)
    return listed.stdout.split()[0]
