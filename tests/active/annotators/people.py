"""Unlabelled sweeps, a run that hands them out, and a scripted annotator who knows the truth and keeps books."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from kecor.active.loop import run
from kecor.simulation.custom import write_simulated
from tests.active.tiny import tiny_config

CLASSES = ["Car", "Pedestrian"]
CLOUDS = {"labelcloud": "pointclouds", "sly_pointcloud": "ds0/pointcloud"}
SEED = 3


def write_sweeps(root: Path, labelled_val: bool = True) -> dict[str, list]:
    """Two drives to buy from without labels and one to measure on; returns the hidden truth: id -> (name, box)."""
    write_simulated(root, drives=3, frames=4, seed=SEED, form="pcd", val_fraction=0.34, progress=False)
    hidden = (root / "ImageSets" / "train.txt").read_text().split()
    if not labelled_val:
        hidden += (root / "ImageSets" / "val.txt").read_text().split()
    truth = {}
    for frame_id in hidden:
        path = root / "labels" / f"{frame_id}.txt"
        rows = [line.split() for line in path.read_text().splitlines()]
        truth[frame_id] = [(row[7], [float(v) for v in row[:7]]) for row in rows if row[7] in CLASSES]
        path.unlink()
    return truth


def run_config(root: Path, format_name: str, folder: Path | None = None, **sections):
    """A config for the tiny detector on these sweeps. Every detection is a pre-label."""
    oracle = {"type": "annotators", "format": format_name, "min_confidence": 0.0}
    if folder is not None:
        oracle["folder"] = str(folder)
    values = {
        "schedule": {"epochs": 1, "batch_size": 4, "lr": 0.01},
        "active": {"initial": 3, "first": "spread", "rounds": 1, "amount": 3.0, "cost_box": 0.01, "n_rois": 8},
        "acquisition": {"type": "entropy"},
        "evaluation": {"type": "boxes"},
        **sections,
    }
    config = tiny_config(root, **values)
    config.data.type, config.data.options = "custom", {"columns": None, "intensity": 1.0, "label_reading": []}
    config.data.augmentation = [{"type": "flip"}]
    config.oracle = type(config.oracle)(**oracle)
    return config


def go(config, work: Path, **settings) -> list[str]:
    """Start or resume the run; what it said."""
    said: list[str] = []
    run(config, work, resume=(work / "al_state.json").exists(), progress=False, log=said.append, **settings)
    return said


def state_of(work: Path) -> dict:
    return json.loads((work / "al_state.json").read_text())


@dataclass
class Annotator:
    """Keeps the first pre-label of a frame, moves the second by 25 cm, deletes the rest, and adds true boxes far from
    any. Files are read and written without kecor.

    Attributes:
        truth: id -> true boxes.
        written: id -> boxes written last.
        did: id -> kept, moved, added, deleted.
    """

    truth: dict[str, list]
    written: dict[str, list] = field(default_factory=dict)
    did: dict[str, tuple[int, int, int, int]] = field(default_factory=dict)

    def label(self, work: Path, format_name: str, ids: list[str], out: Path) -> None:
        """Label some frames of the export ``work`` and save them to ``out``."""
        for frame_id in ids:
            name = frame_id.replace("/", "__")
            assert (work / CLOUDS[format_name] / f"{name}.pcd").is_file()
            before = READ[format_name](work, name)
            after = [(n, list(box)) for n, box in before[:2]]
            if len(after) > 1:
                after[1][1][0] += 0.25
            places = np.array([box[:3] for _, box in before]).reshape(-1, 3)
            far = [o for o in self.truth[frame_id] if not (np.linalg.norm(places - o[1][:3], axis=1) < 6).any()]
            self.did[frame_id] = (min(1, len(before)), int(len(before) > 1), len(far), max(0, len(before) - 2))
            self.save(format_name, frame_id, after + far, out)

    def save(self, format_name: str, frame_id: str, objects: list, out: Path) -> None:
        """Write the boxes of one frame."""
        self.written[frame_id] = objects
        WRITE[format_name](out, frame_id.replace("/", "__"), objects)

    def totals(self, ids: list[str]) -> dict[str, int]:
        """What was done in these frames."""
        sums = np.sum([self.did[frame_id] for frame_id in ids], axis=0).tolist()
        return dict(zip(("kept", "moved", "added", "deleted"), sums))


def _read_labelcloud(work, name):
    path = work / "labels" / f"{name}.json"
    objects = json.loads(path.read_text())["objects"] if path.exists() else []
    return [(o["name"], [*o["centroid"].values(), *o["dimensions"].values(), o["rotations"]["z"]]) for o in objects]


def _write_labelcloud(out, name, objects):
    rows = [
        {
            "name": n,
            "centroid": dict(zip("xyz", box[:3])),
            "dimensions": dict(zip(("length", "width", "height"), box[3:6])),
            "rotations": {"x": 0.0, "y": 0.0, "z": box[6]},
        }
        for n, box in objects
    ]
    value = {"folder": "pointclouds", "filename": f"{name}.pcd", "path": f"/home/me/{name}.pcd", "objects": rows}
    (out / "labels").mkdir(parents=True, exist_ok=True)
    (out / "labels" / f"{name}.json").write_text(json.dumps(value, indent="\t"))


def _read_sly(work, name):
    value = json.loads((work / "ds0" / "ann" / f"{name}.pcd.json").read_text())
    titles = {o["key"]: o["classTitle"] for o in value["objects"]}
    return [
        (titles[f["objectKey"]], [v for key in ("position", "dimensions") for v in f["geometry"][key].values()]
         + [f["geometry"]["rotation"]["z"]])
        for f in value["figures"]
    ]  # fmt: skip


def _write_sly(out, name, objects):
    keys = [uuid.uuid4().hex for _ in objects]
    figures = [
        {
            "key": uuid.uuid4().hex,
            "objectKey": key,
            "geometryType": "cuboid_3d",
            "geometry": {
                "position": dict(zip("xyz", box[:3])),
                "rotation": {"x": 0, "y": 0, "z": box[6]},
                "dimensions": dict(zip("xyz", box[3:6])),
            },
        }
        for key, (_, box) in zip(keys, objects)
    ]
    rows = [{"key": key, "classTitle": n, "tags": []} for key, (n, _) in zip(keys, objects)]
    value = {"description": "", "key": uuid.uuid4().hex, "tags": [], "objects": rows, "figures": figures}
    (out / "ds0" / "ann").mkdir(parents=True, exist_ok=True)
    (out / "ds0" / "ann" / f"{name}.pcd.json").write_text(json.dumps(value))


READ = {"labelcloud": _read_labelcloud, "sly_pointcloud": _read_sly}
WRITE = {"labelcloud": _write_labelcloud, "sly_pointcloud": _write_sly}
