"""The loop over rounds: train, evaluate, pool pass, select, label.

A stage reads what earlier stages left on disk and ends by writing the state. A run killed at any moment resumes at the
stage it was in and ends like an undisturbed one.
"""

from __future__ import annotations

import contextlib
import errno
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from kecor import run_dir
from kecor.active.fingerprints import note_file
from kecor.active.round_0 import take_round_0
from kecor.active.run import Run, open_run
from kecor.active.stages import STAGE_FUNCTIONS
from kecor.active.state import DONE
from kecor.active.summary import Row, summary_rows, write_summary
from kecor.config import Config
from kecor.engine import launch
from kecor.errors import StateError
from kecor.visualization.report import update_report


def run(
    config: Config,
    work_dir: Path,
    *,
    device: str = "cpu",
    launcher: str = "none",
    resume: bool = False,
    pretrained: Path | None = None,
    round_0: Path | None = None,
    accept_missing: bool = False,
    progress: bool = True,
    log: Callable[[str], None] = print,
) -> list[Row]:
    """Run active learning as ``config`` says and keep everything in ``work_dir``.

    ``active.rounds`` purchases are made. The detector is trained and evaluated on the initial frames and after each
    purchase. With several processes ``work_dir`` must be a folder they all see. ``round_0`` is the folder of another
    run whose training and evaluation of round 0 are reused.

    With annotators, the run ends after it has handed frames out, in the stage ``waiting``, and goes on with ``resume``
    when their labels are there; ``accept_missing`` puts frames that are not labelled back into the pool.

    Returns:
        The rows of summary.csv, one an evaluated round.

    Raises:
        KecorError: wrong input, or a disk that is full or cannot be written to. Finished stages stay on disk;
            ``resume`` continues after them.
    """
    work_dir = Path(work_dir)
    device = launch.join(launcher, device)
    say = log if launch.is_main() else (lambda message: None)
    with launch.locked_on_main(work_dir), _disk_errors_explained(work_dir):
        al = open_run(
            config,
            work_dir,
            device=device,
            launcher=launcher,
            resume=resume,
            pretrained=pretrained,
            accept_missing=accept_missing,
            progress=progress,
            log=say,
        )
        if round_0 is not None:
            take_round_0(al, Path(round_0))
        while al.state.stage != DONE:
            stage, started = al.state.stage, time.perf_counter()
            following = STAGE_FUNCTIONS[stage](al)
            if following == stage:  # annotators are at work
                break
            seconds = time.perf_counter() - started
            say(f"round {al.state.round}: {stage} done in {seconds:.1f} s")
            note_file(al.state, stage, al.state.round, work_dir)
            al.state.finish(stage, following, seconds)
            launch.first_on_main(lambda: al.state.save(work_dir))
            if following == "train":
                launch.first_on_main(lambda: _publish(al))
        return launch.first_on_main(lambda: _publish(al))


def _publish(al: Run) -> list[Row]:
    """Write summary.csv, curve.png, report.html and its pictures from the finished rounds."""
    rows = summary_rows(al.state, al.config, al.work_dir)
    if not rows:  # the first frames are with annotators
        return rows
    write_summary(rows, al.work_dir / run_dir.SUMMARY)
    update_report(al.work_dir, al.oracle)
    return rows


@contextlib.contextmanager
def _disk_errors_explained(work_dir: Path) -> Iterator[None]:
    """Turn an error of the operating system, such as a full or read-only disk, into a StateError that says what to do.

    Libraries wrap such errors in a RuntimeError, so its causes are searched too.
    """
    try:
        yield
    except (OSError, RuntimeError) as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, OSError):
            cause = cause.__cause__ or cause.__context__
        if cause is None:
            raise
        if cause.errno in (errno.ENOSPC, errno.EDQUOT):
            fault = f"{work_dir}: the disk is full; free some space"
        else:
            fault = f"{cause.filename2 or cause.filename or work_dir}: {cause.strerror or cause}; correct this"
        raise StateError(f"{fault} and run again with --resume: every finished stage is kept") from error
