"""Kills and damages of active-learning runs: does what is resumed end like an undisturbed run?"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from kecor import run_dir
from kecor.benchmarks.damage import DAMAGES, targets
from kecor.benchmarks.small_run import Ending, outcome, start_until
from kecor.errors import ConfigError, KecorError
from kecor.tables import format_table

FRAMES = 10
EQUAL, REFUSED, WRONG = "equal", "refused", "wrong"
HEADERS = ["disturbance", "number", "ends equal", "refused, file named", "wrong"]
Count = dict[str, Counter[str]]
"""Disturbance -> how often each verdict was reached."""


def benchmark_resilience(kills: int, damages: int, seed: int, folder: Path | None, data_root: Path | None) -> str:
    """Kill and damage small runs and say how they ended.

    Runs are killed with SIGKILL at moments that are uniform over the duration of a run, and resumed, until they end.
    Copies of the killed runs are damaged, one file each, and resumed. Equal means: the same state, picks, metrics and
    last weights as an undisturbed run, bit for bit.

    Args:
        kills: number of kills, at least 1.
        damages: number of damaged copies.
        seed: of the moments, the files and the damages. The data set has the fixed seed 0.
        folder: where to work; a temporary folder in it is removed at the end. None: ``$TMPDIR``.
        data_root: a data set in KITTI's layout with a split ``train`` and ``val``; None simulates one.

    Raises:
        ConfigError: a number is too small.
        KecorError: the undisturbed run fails.
    """
    if kills < 1 or damages < 0:
        raise ConfigError(f"--kills {kills} --damages {damages}: need at least 1 and 0")
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory(dir=folder, prefix="resilience_") as name:
        work = Path(name)
        data = data_root or _simulated(work / "data")
        counted, faults = Campaign(data, work, rng).run(kills, damages)
    rows = [[what, c.total(), c[EQUAL], c[REFUSED], c[WRONG]] for what, c in counted.items()]
    table = format_table(HEADERS, rows)
    return "\n".join([table, *(f"wrong: {fault}" for fault in faults)])


class Campaign:
    """The kills and damages of one data set; runs lie in ``work``."""

    def __init__(self, data: Path, work: Path, rng: np.random.Generator) -> None:
        self.data, self.work, self.rng = data, work, rng
        self.counted: Count = {}
        self.faults: list[str] = []
        undisturbed = start_until(data, work / "whole")
        if undisturbed.kind != "done":
            raise KecorError(f"the undisturbed run {undisturbed.kind}: {undisturbed.message}")
        self.seconds, self.expected = undisturbed.seconds, outcome(work / "whole")

    def run(self, kills: int, damages: int) -> tuple[Count, list[str]]:
        """Counts by disturbance, and a line for each wrong ending."""
        copies: list[Path] = []
        while len(copies) < kills:
            copies += self.killed_run(self.work / f"run_{len(copies):03d}", kills - len(copies))
        usable = [copy for copy in copies if targets(copy)] or [self.work / "whole"]
        for number in range(damages):
            self.damaged_run(usable[number % len(usable)], self.work / f"damaged_{number:03d}")
        return {key: self.counted[key] for key in sorted(self.counted)}, self.faults

    def killed_run(self, folder: Path, at_most: int) -> list[Path]:
        """Kill one run again and again until it ends; copies of its folder as each kill left it."""
        copies: list[Path] = []
        stages = []
        ending = Ending("killed")
        while ending.kind == "killed":
            moment = self.rng.uniform(0, self.seconds) if len(copies) < at_most else None
            ending = start_until(self.data, folder, moment)
            if ending.kind == "killed":
                stages.append(f"kill in {_stage(folder)}")
                copies.append(folder.with_name(f"{folder.name}_kill_{len(copies)}"))
                shutil.copytree(folder, copies[-1]) if folder.exists() else copies[-1].mkdir()
        verdict = self.judge(ending, folder, None)
        for stage in stages:
            self.count(stage, EQUAL if verdict == EQUAL else WRONG, f"{stage}: {ending.kind} {ending.message}")
        return copies

    def damaged_run(self, original: Path, folder: Path) -> None:
        """Damage a file of a copy of ``original`` and resume it."""
        shutil.copytree(original, folder)
        name = str(self.rng.choice(targets(folder)))
        what = str(self.rng.choice(list(DAMAGES)))
        DAMAGES[what](folder / name, self.rng)
        ending = start_until(self.data, folder)
        fault = f"{what} {name} of a run stopped in {_stage(original)}: {ending.kind} {ending.message}"
        self.count(what, self.judge(ending, folder, name), fault)

    def judge(self, ending: Ending, folder: Path, damaged: str | None) -> str:
        """The verdict on how a run ended."""
        if ending.kind == "done":
            return EQUAL if outcome(folder) == self.expected else WRONG
        named = damaged is not None and Path(damaged).name in ending.message
        return REFUSED if ending.kind == "refused" and named else WRONG

    def count(self, what: str, verdict: str, fault: str) -> None:
        self.counted.setdefault(what, Counter())[verdict] += 1
        if verdict == WRONG:
            self.faults.append(fault)


def _simulated(root: Path) -> Path:
    from kecor.simulation import write_dataset

    write_dataset(root, FRAMES, progress=False, workers=1)
    return root


def _stage(folder: Path) -> str:
    """The stage that the state of a run names; ``start`` before there is a state."""
    path = folder / run_dir.STATE
    state: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"stage": "start"}
    return str(state["stage"])
