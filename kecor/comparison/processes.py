"""Runs as processes, some at a time: one that fails stops only those that build on it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from kecor import run_dir
from kecor.errors import DataError, StateError
from kecor.files import read_json
from kecor.progress import progress_bar
from kecor.visualization.wording import duration

LOCK = ".lock"
POLL = 0.1
PATIENCE = 20.0


@dataclass(frozen=True)
class Job:
    """A command that makes a run in ``folder`` and prints into ``log``; it waits for ``after``, and fails with it."""

    name: str
    command: Sequence[str]
    folder: Path
    log: Path
    rounds: int
    after: Job | None = None


@dataclass
class _Process:
    """A job under way."""

    job: Job
    handle: subprocess.Popen
    bar: tqdm
    started: float = field(default_factory=time.perf_counter)

    def show(self) -> None:
        """Bring the bar up to the round the run is in."""
        with contextlib.suppress(DataError):  # there is no state yet
            state = read_json(self.job.folder / run_dir.STATE)
            self.bar.update(state["round"] - self.bar.n)
            self.bar.set_postfix_str(state["stage"])


def run_jobs(jobs: Sequence[Job], limit: int, say: Callable[[str], None], keep_open: int) -> dict[str, str]:
    """Do ``jobs``, up to ``limit`` at a time, in their order as far as they need not wait; a line for each that ends.

    The processes inherit the file descriptor ``keep_open``. When this one is stopped they are stopped too.

    Returns:
        name of each job that failed -> why, and the log that tells more.
    """
    waiting = list(jobs)
    running: list[_Process] = []
    done: set[str] = set()
    failed: dict[str, str] = {}
    try:
        while waiting or running:
            for job in list(waiting):
                if job.after is not None and job.after.name in failed:
                    waiting.remove(job)
                    failed[job.name] = f"{job.after.name} failed"
                    say(f"[{len(done) + len(failed)}/{len(jobs)}] {job.name}: not started, {job.after.name} failed")
            ready = [job for job in waiting if job.after is None or job.after.name in done]
            for job in ready[: limit - len(running)]:
                waiting.remove(job)
                running.append(_start(job, keep_open))
            for process in list(running):
                process.show()
                if process.handle.poll() is not None:
                    running.remove(process)
                    fault = _end(process)
                    done.add(process.job.name) if fault is None else failed.update({process.job.name: fault})
                    took = duration(time.perf_counter() - process.started)
                    outcome = f"done in {took}" if fault is None else f"FAILED after {took}: {fault}"
                    say(f"[{len(done) + len(failed)}/{len(jobs)}] {process.job.name}: {outcome}")
            if running:
                time.sleep(POLL)
    finally:
        _stop(running)
    return failed


@contextlib.contextmanager
def held(work_dir: Path, say: Callable[[str], None]) -> Iterator[int]:
    """Hold ``work_dir`` for this process and for those that inherit the descriptor that is given.

    Where runs of a killed comparison are still at work, it waits until the last of them has ended: what they do is not
    lost, and two processes never write to one run.

    Raises:
        StateError: the folder cannot be written to.
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
            say(f"{work_dir}: runs that were begun earlier are still at work; waiting for them to end")
            fcntl.flock(stream, fcntl.LOCK_EX)
        yield stream.fileno()


def _start(job: Job, keep_open: int) -> _Process:
    job.log.parent.mkdir(parents=True, exist_ok=True)
    with job.log.open("ab") as log:
        handle = subprocess.Popen(
            job.command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, pass_fds=[keep_open]
        )
    bar = progress_bar(job.name, job.rounds, "round", shown=os.isatty(2))
    return _Process(job, handle, bar)


def _end(process: _Process) -> str | None:
    """Close what belongs to an ended process; what went wrong, None when nothing did."""
    process.bar.leave = False
    process.bar.close()
    code, log = process.handle.returncode, process.job.log
    if code == 0:
        return None
    lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    last = lines[-1].strip() if lines and code > 0 else f"killed by signal {-code}" if code < 0 else "it said nothing"
    return f"{last} (exit code {code}; log: {log})"


def _stop(running: Sequence[_Process]) -> None:
    for process in running:
        process.handle.terminate()
    for process in running:
        process.bar.close()
        try:
            process.handle.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.handle.kill()
            process.handle.wait()
