"""What is written, read back by the annotation tools' own libraries, each in an environment of its own.

``KECOR_DATUMARO_PYTHON`` and ``KECOR_LABELCLOUD_PYTHON`` name the interpreters of environments with datumaro and with
labelCloud (``pip install datumaro==1.13.12``, ``pip install labelCloud==1.1.1``).
"""

import json
import os
import subprocess

import numpy as np
import pytest

from kecor.labelling.delivery import read_delivery
from kecor.labelling.export import export_frames
from tests.labelling.cases import CLASSES, difference, frames, world

pytestmark = pytest.mark.slow

DATUMARO = """
import json, sys
from datumaro.components.dataset import Dataset
folder, name, out = sys.argv[1:]
dataset = Dataset.import_from(folder, name)
labels = [label.name for label in dataset.categories()[next(iter(dataset.categories()))]]
boxes = {
    item.id: [[labels[a.label], *a.position, *a.scale, a.rotation[2]] for a in item.annotations] for item in dataset
}
if out:
    dataset.export(out, name, save_media=False)
print("BOXES" + json.dumps(boxes))
"""

LABELCLOUD = """
import json, sys
from pathlib import Path
from labelCloud.io.labels.{module} import {reader}
folder = Path(sys.argv[1])
reader = {reader}({arguments})
boxes = {{}}
for path in sorted((folder / "pointclouds").glob("*.pcd")):
    found = reader.import_labels(path)
    boxes[path.stem] = [
        [b.get_classname(), *b.get_center(), *b.get_dimensions(), b.get_z_rotation() * 3.141592653589793 / 180]
        for b in found
    ]
    reader.export_labels(found, path)
print("BOXES" + json.dumps(boxes))
"""


def run(variable, script, *arguments):
    """The boxes that a script prints, run by the interpreter that an environment variable names."""
    python = os.environ.get(variable)
    if not python:
        pytest.skip(f"{variable} is not set: the python of an environment with the tool's library")
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "PYTHONPATH": ""}
    done = subprocess.run([python, "-c", script, *map(str, arguments)], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    line = next(line for line in done.stdout.splitlines() if line.startswith("BOXES"))
    return json.loads(line.removeprefix("BOXES"))


def assert_same(found, before, precision):
    """The boxes of a library are those handed out; a frame without boxes may be absent."""
    assert set(found) <= {name.replace("/", "__") for name in before}
    for frame_id, labels in before.items():
        rows = found.get(frame_id.replace("/", "__"), [])
        assert [row[0] for row in rows] == labels.names.tolist()
        assert difference(np.array([row[1:] for row in rows]).reshape(-1, 7), labels.boxes) <= precision


@pytest.mark.parametrize("name", ["datumaro", "sly_pointcloud"])
def test_datumaro_reads_what_is_handed_out_and_its_export_is_read_back(tmp_path, name):
    before = world()
    export_frames(tmp_path / "out", name, frames(before), before, CLASSES)
    found = run("KECOR_DATUMARO_PYTHON", DATUMARO, tmp_path / "out", name, tmp_path / "back")
    assert_same(found, before, 0.0051)
    back = read_delivery(tmp_path / "back", name, ids=list(before), classes=CLASSES)
    assert (back.problems, back.missing, back.unknown) == ({}, [], [])
    for frame_id, labels in before.items():
        assert back.labels[frame_id].names.tolist() == labels.names.tolist()
        assert difference(back.labels[frame_id].boxes, labels.boxes) <= 0.006


@pytest.mark.parametrize("variant", ["centroid_rel", "kitti_untransformed"])
def test_labelcloud_reads_what_is_handed_out_and_what_it_saves_is_read_back(tmp_path, variant):
    before = world()
    export_frames(tmp_path / "out", "labelcloud", frames(before), before, CLASSES, {"variant": variant})
    folder = f"Path({str(tmp_path / 'out' / 'labels')!r})"
    if variant == "centroid_rel":
        names = {"module": "centroid", "reader": "CentroidFormat"}
        arguments = f"{folder}, 8, relative_rotation=True"
    else:
        names = {"module": "kitti", "reader": "KittiFormat"}
        arguments = f"{folder}, 8, relative_rotation=True, transformed=False"
    found = run("KECOR_LABELCLOUD_PYTHON", LABELCLOUD.format(**names, arguments=arguments), tmp_path / "out")
    assert_same(found, before, 1e-7)
    back = read_delivery(tmp_path / "out", "labelcloud")
    assert (back.problems, back.notes, back.missing, back.unknown) == ({}, [], [], [])
    for frame_id, labels in before.items():
        assert back.labels[frame_id].names.tolist() == labels.names.tolist()
        assert difference(back.labels[frame_id].boxes, labels.boxes) <= 1e-7
