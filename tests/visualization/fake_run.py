"""A run folder as active learning leaves it, with made-up numbers."""

import csv
import dataclasses
import json
from pathlib import Path

import numpy as np
import yaml

from kecor.acquisition.kecor import Kecor
from kecor.frame_sets.files import write_frames
from kecor.ntk.diagnostics import diagnose, kernel_drift
from kecor.structures import Detections, Frame, FrameSet

CLASSES = ["Car", "Pedestrian", "Cyclist"]
STAGES = ("train", "evaluate", "pool", "select", "label")


def fake_frame(frame_id="000042", n_boxes=3, seed=0) -> tuple[Frame, Detections]:
    """A flat road with boxes standing on it, and detections a little off."""
    rng = np.random.default_rng(seed)
    points = np.column_stack([rng.uniform(0, 60, 4000), rng.uniform(-30, 30, 4000), rng.normal(-1.7, 0.05, 4000)])
    points = np.column_stack([points, rng.uniform(0, 1, 4000)]).astype(np.float32)
    boxes = np.zeros((n_boxes, 7), np.float32)
    boxes[:, 0], boxes[:, 1] = rng.uniform(8, 55, n_boxes), rng.uniform(-20, 20, n_boxes)
    boxes[:, 2:6] = (-0.9, 4.0, 1.7, 1.5)
    boxes[:, 6] = rng.uniform(-3, 3, n_boxes)
    labels = np.arange(n_boxes) % 3
    found = boxes + rng.normal(0, 0.2, boxes.shape).astype(np.float32)
    frame = Frame(frame_id, points, boxes, np.array(CLASSES)[labels])
    return frame, Detections(found, rng.uniform(0.2, 1, n_boxes), labels)


def summary_row(number: int, method: str = "kecor") -> dict:
    """A row of summary.csv; Cyclist has no strict value in round 0."""
    row = {"round": number, "method": method, "seed": 7, "frames": 20 * (number + 1), "boxes": 100 + 90 * number}
    row |= {"cost": row["frames"], "new_frames": 20, "new_boxes": 90 if number else 100}
    for i, name in enumerate(CLASSES):
        for end in ("", "_loose"):
            for view in ("3d", "bev"):
                row[f"{name}_{view}{end}"] = 61.27 - 20 * i + 7.5 * number + (12 if end else 0) + 3 * (view == "bev")
    if number == 0:
        row["Cyclist_3d"] = None
    return row | {f"seconds_{stage}": 3.5 * (i + 1) + 60 * (i == 0) for i, stage in enumerate(STAGES)}


class FakeFrames:
    """Frames with labels for the picks of a made-up run."""

    def read(self, frame_id: str) -> Frame:
        return fake_frame(frame_id, int(frame_id) % 4, int(frame_id))[0]

    def read_labels(self, frame_id: str) -> tuple[np.ndarray, np.ndarray]:
        frame = self.read(frame_id)
        return frame.boxes, frame.names

    def read_unlabelled(self, frame_id: str) -> Frame:
        return dataclasses.replace(self.read(frame_id), boxes=np.zeros((0, 7), np.float32), names=np.zeros(0, "<U1"))


def write_run(
    folder: Path, n_rounds: int = 4, method: str = "kecor", note: str | None = None, pool: bool = False
) -> Path:
    """Write the files of a run that has evaluated ``n_rounds`` rounds and selected after all but the last."""
    rows = [summary_row(k, method) for k in range(n_rounds)]
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "summary.csv").open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    config = {"data": {"type": "kitti", "root": "data/made_up", "classes": CLASSES}, "seed": 7}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    for k in range(n_rounds):
        place = folder / f"round_{k:02d}"
        place.mkdir(exist_ok=True)
        levels = {"R11": [71.25, 52.5, 41.0], "R40": [73.125, 54.375, None]}
        views = dict.fromkeys(("3d", "bev", "bbox", "aos"), levels)
        metrics = {o: dict.fromkeys(CLASSES, views) for o in ("strict", "loose")}
        (place / "metrics.json").write_text(json.dumps(metrics))
        if k + 1 < n_rounds:
            (place / "selection.json").write_text(json.dumps(selection(k, method, note)))
            if pool:
                write_pool(place, k)
    return folder


def selection(number: int, method: str, note: str | None) -> dict:
    """A selection.json of 20 picks."""
    info = {
        "rate_gain_sum": 31.84159,
        "entropy_gain_sum": 12.5,
        "overlap_with_top_entropy": 0.35,
        "proxy_loss_first": 1.75,
        "proxy_loss_last": 0.0625,
        "my_list": list(range(30)),
        "note": note,
    }
    if method == "kecor":
        info |= kernel_info(number)
    ids = [f"{number}{i:05d}" for i in range(20)]
    gains = [2.5 - i / 9 for i in range(20)]
    counts = [2 + i % 7 for i in range(20)]
    return {"ids": ids, "gains": gains, "method": method, "predicted_boxes": counts, "info": info, "terms": Kecor.terms}


def kernel_info(number: int) -> dict:
    """What a kernel leaves in the info of a round, of made-up features that settle from round to round."""
    fits = [0.05 + float(np.exp(-i / 12)) for i in range(50)]
    diagnostics = kernel_of_round(number)
    if number:
        diagnostics["drift"] = kernel_drift(kernel_of_round(number - 1), diagnostics)
    return {"proxy_losses": fits, "diagnostics": diagnostics}


def kernel_of_round(number: int) -> dict:
    """The diagnostics of a round with 20 labelled frames more than the one before."""
    n, sizes = 20 * (number + 1), 1 / np.arange(1, 31)
    features = np.random.default_rng(0).normal(size=(200, 30))[:n] * sizes
    targets = np.tanh(features[:, :3] * 3)
    moved = features + 0.5**number * sizes * np.random.default_rng(number + 1).normal(size=(n, 30)) + 0.2
    gram = moved @ moved.T
    left = np.full(10, 0.2 * 0.8**number)
    return diagnose(gram / np.diag(gram).mean(), [f"{i:06d}" for i in range(n)], targets, 0.01, left, 0.7 * left)


def write_pool(place: Path, number: int) -> None:
    """What the detector of a round found in the pool, with its features, and the truth of the picks in selection.json.

    Frame ``i`` of a round lies at ``i`` on a line in the space of features, labelled frame ``j`` at ``3 j + 0.4``.
    """
    ids = [f"{number}{i:05d}" for i in range(30)]
    detections = [fake_frame(i, 3, int(i))[1] for i in ids]
    line = np.arange(30.0)[:, None] * (1, -2, 0.5)
    write_frames(place / "pool/unlabelled", FrameSet(np.array(ids), {"embedding": line.astype("f4")}, detections))
    known = np.array([f"9{j:05d}" for j in range(4)])
    line = (3 * np.arange(4.0) + 0.4)[:, None] * (1, -2, 0.5)
    write_frames(place / "pool/labelled", FrameSet(known, {"embedding": line.astype("f4")}))
    record = json.loads((place / "selection.json").read_text())
    record["true_boxes"] = [int(i) % 4 for i in record["ids"]]
    record["info"] |= {"rate_gains": [g - 0.25 for g in record["gains"]], "entropy_gains": [0.25] * 20}
    (place / "selection.json").write_text(json.dumps(record))
