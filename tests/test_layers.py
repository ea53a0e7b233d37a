"""The rooms of the package and the direction of imports: docs/architecture.md draws the same picture."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "kecor"
LAYERS = [
    ["cli"],
    ["benchmarks", "simulation"],
    ["comparison"],
    ["active"],
    ["labelling"],
    ["visualization"],
    ["acquisition", "engine", "evaluation"],
    ["detectors", "datasets", "frame_sets", "ntk", "coding_rate"],
    ["ops", "geometry"],
]
"""From the top down; a room imports from rooms below it, and from single files such as structures and errors."""
SCRIPTS = ("realism.py", "stage_times.py")
"""Files with a command of their own, which end in one line on an error as every command does."""
LEVEL = {room: number for number, rooms in enumerate(LAYERS) for room in rooms}


def rooms_imported(path: Path) -> set[str]:
    """First names below kecor of what a file imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "kecor":
            parts = node.module.split(".")
            names |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("kecor.")}
    return names


@pytest.mark.parametrize("room", sorted(LEVEL))
def test_imports_point_downwards(room):
    files = [PACKAGE / f"{room}.py"] if (PACKAGE / f"{room}.py").is_file() else list((PACKAGE / room).rglob("*.py"))
    upwards = {
        f"{path.relative_to(PACKAGE)} imports kecor.{other}"
        for path in files
        for other in rooms_imported(path) - {"cli" if path.name in SCRIPTS else ""}
        if LEVEL.get(other, len(LAYERS)) < LEVEL[room]
    }
    assert not upwards


@pytest.mark.parametrize("room", ["acquisition", "ntk", "coding_rate"])
def test_what_selects_frames_knows_no_detector_data_set_or_config(room):
    files = [PACKAGE / f"{room}.py"] if (PACKAGE / f"{room}.py").is_file() else list((PACKAGE / room).rglob("*.py"))
    assert not {other for path in files for other in rooms_imported(path)} & {"detectors", "datasets", "config"}


def test_rounds_training_and_report_are_imported_without_any_data_set():
    code = (
        "import sys, kecor.active.loop, kecor.engine.jobs, kecor.visualization.report, kecor.comparison.run\n"
        "names = ('kitti', 'waymo', 'nuscenes', 'custom', 'boxes')\n"
        "print([m for m in sys.modules if m.startswith(('kecor.datasets.', 'kecor.evaluation.')) "
        "and m.split('.')[2] in names])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_folders_and_files_stay_small():
    lines = sorted(len(path.read_text().splitlines()) for path in PACKAGE.rglob("*.py"))
    assert lines[len(lines) // 2] <= 90
    for folder in {path.parent for path in PACKAGE.rglob("*.py")}:
        assert len(list(folder.glob("*.py"))) <= 15 + (folder / "__init__.py").is_file(), folder
