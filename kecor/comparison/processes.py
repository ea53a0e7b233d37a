"""Running jobs as processes, a limited number at a time. A failed job only stops the jobs that depend on it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from kecor import run_dir
from kecor.errors import DataError, StateError
from kecor.files import read_json
from kecor.progress import progress_bar
from kecor.visualization.wording import duration

LOCK = ".lock"
POLL_SECONDS = 0.1
TERMINATE_SECONDS = 20.0
"""How long a terminated process may take to exit before it is killed."""


@dataclass(frozen=True)
class Job:
    """A command that makes the run in ``folder`` and prints to ``log``; it needs the job ``after`` to succeed first."""

    name: str
    command: Sequence[str]
    folder: Path
    log: Path
    rounds: int
    after: Job | None = None


@dataclass
class _Process:
    """A running job."""

    job: Job
    handle: subprocess.Popen
    bar: tqdm
    started: float = field(default_factory=time.perf_counter)

    def has_ended(self) -> bool:
        """Whether the process has exited; updates the progress bar from the state of the run."""
        with contextlib.suppress(DataError):  # no state has been written yet
            state = read_json(self.job.folder / run_dir.STATE)
            self.bar.update(state["round"] - self.bar.n)
            self.bar.set_postfix_str(state["stage"])
        return self.handle.poll() is not None


def run_jobs(
    jobs: Sequence[Job], limit: int, say: Callable[[str], None], keep_open: Sequence[int] = ()
) -> dict[str, str]:
    """Run ``jobs``, up to ``limit`` at a time, in the given order as far as their dependencies allow.

    ``say`` gets one line per finished job. The processes inherit the file descriptors ``keep_open``. When this process
    is interrupted, they are terminated.

    Returns:
        Name of each failed job -> the reason and the path of its log.
    """
    waiting = list(jobs)
    running: list[_Process] = []
    done: set[str] = set()
    failed: dict[str, str] = {}

    def report(name: str, outcome: str) -> None:
        say(f"[{len(done) + len(failed)}/{len(jobs)}] {name}: {outcome}")

    try:
        while waiting or running:
            for job, parent in _blocked(waiting, failed):
                waiting.remove(job)
                failed[job.name] = f"{parent} failed"
                report(job.name, f"not started, {parent} failed")
            ready = [job for job in waiting if job.after is None or job.after.name in done]
            for job in ready[: limit - len(running)]:
                waiting.remove(job)
                running.append(_start(job, keep_open))
            for process in [process for process in running if process.has_ended()]:
                running.remove(process)
                reason = _close(process)
                done.add(process.job.name) if reason is None else failed.update({process.job.name: reason})
                took = duration(time.perf_counter() - process.started)
                report(process.job.name, f"done in {took}" if reason is None else f"FAILED after {took}: {reason}")
            if running:
                time.sleep(POLL_SECONDS)
    finally:
        _stop(running)
    return failed


@contextlib.contextmanager
def hold(work_dir: Path, say: Callable[[str], None]) -> Iterator[int]:
    """Lock ``work_dir`` for this process and for the processes that inherit the file descriptor it yields.

    If runs of a killed comparison are still going, wait for the last of them to end: their work is kept, and no two
    processes write to the same run.

    Raises:
        StateError: ``work_dir`` cannot be written to.
    """
    path = work_dir / LOCK
    try:
        stream = path.open("a")
    except OSError as error:
        raise StateError(f"{path}: cannot be written: {error.strerror or error}") from error
    with stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"{work_dir}: runs started earlier are still going; waiting for them to end")
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield stream.fileno()


def _blocked(waiting: Sequence[Job], failed: Mapping[str, str]) -> list[tuple[Job, str]]:
    """The waiting jobs whose prerequisite has failed, each with the name of the prerequisite."""
    return [(job, job.after.name) for job in waiting if job.after is not None and job.after.name in failed]


def _start(job: Job, keep_open: Sequence[int]) -> _Process:
    job.log.parent.mkdir(parents=True, exist_ok=True)
    with job.log.open("ab") as log:
        handle = subprocess.Popen(
            job.command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, pass_fds=keep_open
        )
    bar = progress_bar(job.name, job.rounds, "round", shown=os.isatty(2))
    return _Process(job, handle, bar)


def _close(process: _Process) -> str | None:
    """Close the progress bar of an ended process; returns the reason if it failed, else None."""
    process.bar.leave = False
    process.bar.close()
    code, log = process.handle.returncode, process.job.log
    if code == 0:
        return None
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    last = (
        lines[-1].strip() if lines and code > 0 else f"killed by signal {-code}" if code < 0 else "it printed nothing"
    )
    return f"{last} (exit code {code}; log: {log})"


def _stop(running: Sequence[_Process]) -> None:
    """Terminate processes; kill those that do not exit in time."""
    for process in running:
        process.handle.terminate()
    for process in running:
        process.bar.close()
        try:
            process.handle.wait(TERMINATE_SECONDS)
        except subprocess.TimeoutExpired:
            process.handle.kill()
            process.handle.wait()
