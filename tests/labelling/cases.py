"""Deliveries that several tests build."""

import json
import shutil
from pathlib import Path

import numpy as np

from kecor.labelling.base import LabelledBoxes
from kecor.structures import Frame

CLASSES = ["Car", "Pedestrian", "Traffic_cone"]


def labelled(*rows):
    """Boxes from rows ``(name, x, y, z, dx, dy, dz, heading)``."""
    return LabelledBoxes(
        np.array([row[0] for row in rows], dtype=str), np.array([row[1:] for row in rows], float).reshape(-1, 7)
    )


def world():
    """Pre-labels of three frames: headings near both ends, a tiny box, a far one, and a frame without any."""
    return {
        "000003": labelled(
            ("Car", 9.4612, -4.8992, -1.00775, 4.5771, 1.6891, 1.4023, 3.1),
            ("Car", -14.8562, -4.4603, -0.95345, 3.777, 1.6144, 1.5779, -3.1),
            ("Traffic_cone", 2.12345678, 3.3, -1.5, 0.3, 0.31, 0.7, -np.pi),
        ),
        "scene_1/000003": labelled(("Pedestrian", 30.1, 8.9, -0.3, 1.06, 0.77, 1.87, -np.pi / 2)),
        "scene_2/000003": labelled(),
    }


def frames(ids):
    """A frame of ten points for each id."""
    rng = np.random.default_rng(0)
    return (Frame(frame_id, rng.normal(size=(10, 5)).astype(np.float32)) for frame_id in ids)


def difference(a, b):
    """The largest difference between boxes, headings modulo a turn."""
    d = np.abs(np.asarray(a) - np.asarray(b))
    d[:, 6] = np.minimum(d[:, 6], 2 * np.pi - d[:, 6])
    return d.max(initial=0)


def expected(folder):
    """Frame id -> names and boxes, from the NAME.expected.json of a sample."""
    found = {}
    for path in sorted(Path(folder).glob("*.expected.json")):
        value = json.loads(path.read_text())
        rows = value["boxes"]
        found[value["frame_id"]] = [row["name"] for row in rows], np.array([row["box"] for row in rows])
    return found


def copied(folder, target):
    """A copy of a sample that a test may change."""
    shutil.copytree(folder, target, ignore=shutil.ignore_patterns("*.pcd", "*.bin", "*.expected.json"))
    return target


def edit_json(path, change):
    """Apply ``change`` to the value of a JSON file."""
    value = json.loads(path.read_text())
    path.write_text(json.dumps(change(value) or value))
