"""Several processes: joining them, who is who, and bringing results together.

Without a launcher every function here still answers, for a world of one.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from kecor.engine.device import resolve_device
from kecor.engine.meeting import Place, find_place
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
    place = find_place(launcher)
    if device.startswith("cuda"):
        if place.local_rank >= torch.cuda.device_count():
            raise ConfigError(
                f"--launcher {launcher}: rank {place.rank} finds {torch.cuda.device_count()} CUDA devices on its "
                f"machine and would need number {place.local_rank}; start one process a device"
            )
        device = f"cuda:{place.local_rank}"
        torch.cuda.set_device(device)
    if not dist.is_initialized():
        _meet(place, "nccl" if device.startswith("cuda") else "gloo")
    return device


def _meet(place: Place, backend: str) -> None:
    """Join the process group.

    Raises:
        ConfigError: the processes cannot meet, because the port is in use or the host is unknown.
    """
    try:
        dist.init_process_group(
            backend,
            init_method=place.method,
            rank=place.rank,
            world_size=place.world_size,
            timeout=TIMEOUT,
        )
    except (dist.DistNetworkError, dist.DistStoreError) as error:
        raise ConfigError(
            f"rank {place.rank} cannot meet the others at {place.address}: {str(error).splitlines()[0]}; set "
            "MASTER_PORT to a free port, or start with `torchrun --standalone`, which finds one"
        ) from error


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
