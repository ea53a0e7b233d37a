"""Where a process stands among the others of its job, and where they meet: read from the launcher's environment."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass

from kecor.errors import ConfigError

VARIABLES = {
    "pytorch": ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"),
    "slurm": ("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID", "SLURM_JOB_NODELIST"),
}
"""Launcher -> the environment variables it sets; the first three are numbers."""
PORTS = range(12_000, 32_000)
"""Ports of Slurm jobs: below those that systems give to outgoing connections."""


@dataclass(frozen=True)
class Place:
    """The place of a process: its number among all and on its machine, their count, and where and how they meet."""

    rank: int
    world_size: int
    local_rank: int
    address: str
    method: str


def find_place(launcher: str) -> Place:
    """The place of this process in a job that ``launcher`` started: ``pytorch`` or ``slurm``.

    Raises:
        ConfigError: an environment variable is missing or is no number.
    """
    names = VARIABLES[launcher]
    missing = [name for name in names if name not in os.environ]
    if missing:
        start = "torchrun --standalone --nproc_per_node=N" if launcher == "pytorch" else "srun python"
        raise ConfigError(f"--launcher {launcher}: {', '.join(missing)} not set; start with `{start} tools/...`")
    own, size, local = (_number(name) for name in names[:3])
    if own >= size:
        raise ConfigError(f"{names[0]}: got {own}; expected less than {names[1]}, which is {size}")
    host = os.environ.get("MASTER_ADDR") or _first_host(os.environ["SLURM_JOB_NODELIST"])
    port = _number("MASTER_PORT", 65_535) if "MASTER_PORT" in os.environ else job_port()
    method = "env://" if launcher == "pytorch" else f"tcp://{host}:{port}"  # torchrun may hold the port open already
    return Place(own, size, local, f"{host}:{port}", method)


def job_port() -> int:
    """A port that all processes of a Slurm job agree on without talking and that other jobs rarely share."""
    job, step = (_number(name) if name in os.environ else 0 for name in ("SLURM_JOB_ID", "SLURM_STEP_ID"))
    return PORTS[(job * 31 + step) % len(PORTS)]


def _number(name: str, largest: int = 2**32) -> int:
    """The number in an environment variable."""
    text = os.environ[name]
    if not text.isdecimal() or int(text) > largest:
        raise ConfigError(f"{name}: got {text!r}; expected a whole number from 0 to {largest}")
    return int(text)


def _first_host(nodes: str) -> str:
    """The first host of a Slurm node list such as ``gpu[01-04]``."""
    command = ["scontrol", "show", "hostnames", nodes]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[0]
    except (OSError, subprocess.CalledProcessError, IndexError) as error:
        raise ConfigError(f"SLURM_JOB_NODELIST {nodes}: scontrol does not name its hosts; set MASTER_ADDR") from error
