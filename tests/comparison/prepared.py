"""Finished run folders with synthetic numbers, and a stand-in for train_al that copies them into place."""

from __future__ import annotations

from pathlib import Path

from kecor.active.state import DONE, State
from kecor.active.summary import write_summary
from kecor.config import Config
from kecor.config.differences import settings_of

STAND_IN = """
import shutil, sys
from pathlib import Path

prepared = Path(__file__).parent / "prepared"
words = sys.argv[1:]
folder = Path(words[words.index("--work-dir") + 1])
name = f"{folder.parent.name}/{folder.name}"
with (Path(__file__).parent / "calls.txt").open("a") as calls:
    calls.write(" ".join([name, *words]) + "\\n")
if "--round-0" in words:
    assert (Path(words[words.index("--round-0") + 1]) / "al_state.json").is_file()
print("at work on", name)
if not (prepared / name).is_dir():
    sys.exit("error: no luck with " + name)
shutil.copytree(prepared / name, folder, dirs_exist_ok=True)
(folder / "report.html").write_text("a report")
"""


def write_stand_in(folder: Path) -> Path:
    """Write the script; it copies runs from ``folder/prepared`` and logs each call to ``folder/calls.txt``."""
    path = folder / "train_al.py"
    path.write_text(STAND_IN)
    return path


def calls_of(folder: Path) -> list[str]:
    """METHOD/seed_N of each call of the stand-in so far."""
    path = folder / "calls.txt"
    return [line.split()[0] for line in path.read_text().splitlines()] if path.exists() else []


def rows_of(boxes: list[int], aps: list[float | None], method: str = "m", seed: int = 0) -> list[dict]:
    """Rows of summary.csv with ten frames per round and the given boxes and Car_3d values."""
    rows = []
    for k, (total, ap) in enumerate(zip(boxes, aps)):
        row = {
            "round": k,
            "method": method,
            "seed": seed,
            "frames": 10 * (k + 1),
            "boxes": total,
            "cost": 10.0 * k + 10,
        }
        rows.append({**row, "Car_3d": ap, "Car_bev_loose": None if ap is None else ap + 20, "seconds_train": 1.5})
    return rows


def write_finished(folder: Path, config: Config, rows: list[dict], digest: str = "split") -> None:
    """The files of a finished run that a comparison reads."""
    folder.mkdir(parents=True)
    frames = [[f"{k}"] for k in range(len(rows))]
    seconds = [{"train": 1.0, "evaluate": 1.0} for _ in rows]
    settings, number = settings_of(config, pretrained=None), len(rows) - 1
    name, boxes = config.acquisition["type"], [1] * len(rows)
    State(settings, digest, config.seed, name, frames, boxes, number, DONE, seconds).save(folder)
    write_summary(rows, folder / "summary.csv")
