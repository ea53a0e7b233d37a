"""Frame sets, checkpoints, files of a run, and results that are evaluated."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import torch
from torch import nn

from kecor.active.selection.selection_file import read_selection
from kecor.active.state import State, check_settings, read_state
from kecor.config import load_config
from kecor.datasets.kitti.labels import format_objects
from kecor.detectors.pretrained import load_pretrained
from kecor.engine.checkpoints import load_checkpoint, save_checkpoint
from kecor.evaluation.kitti.evaluate import evaluate as evaluate_kitti
from kecor.evaluation.kitti.files import read_folders
from kecor.evaluation.nuscenes.results_file import read_results
from kecor.evaluation.waymo.detection import evaluate as evaluate_waymo
from kecor.evaluation.waymo.inputs import as_arrays, read_arrays
from kecor.evaluation.waymo.objects import read_files, write_predictions
from kecor.frame_sets.files import read_frames
from kecor.frame_sets.npz import write_npz
from kecor.visualization.report_rounds import round_section
from kecor.visualization.run_folder import read_run
from tests.active.tiny import tiny_config, write_config
from tests.evaluation.kitti.scenes import random_frame
from tests.evaluation.nuscenes.test_results_file import BOX
from tests.evaluation.waymo.scenes import random_scene
from tests.evaluation.waymo.test_objects import write_gt
from tests.frame_sets.test_files import arrays_of
from tests.visualization.fake_run import write_run

SETTINGS = {"active.rounds": 1, "seed": 0}


def _write_frames(folder: Path) -> None:
    for name, array in arrays_of().items():
        np.save(folder / f"{name}.npy", array)


def _write_npz(folder: Path) -> None:
    with (folder / "set.npz").open("wb") as stream:
        write_npz(stream, arrays_of())


def _network() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))


def _write_weights(folder: Path) -> None:
    save_checkpoint(_network(), folder / "ours.pth", {"epoch": 2, "classes": ["Car"]})
    torch.save({"model_state": _network().state_dict(), "epoch": 3}, folder / "published.pth")


def _weights(folder: Path) -> None:
    load_checkpoint(_network(), folder / "ours.pth")
    load_pretrained(_network(), folder / "published.pth")


def _write_state(folder: Path) -> None:
    state = State(SETTINGS, "digest", 0, "kecor", [["a", "b"]], [3], n_frames=9, processes=1, label_digests=["x"])
    state.save(folder)


def _state(folder: Path) -> None:
    check_settings(read_state(folder), SETTINGS, folder)


def _write_selection(folder: Path) -> None:
    record = {"round": 0, "ids": ["a", "b"], "gains": [2.5, 1.25], "info": {"sigma": 0.1}, "predicted_boxes": [3, 4]}
    (folder / "selection.json").write_text(json.dumps(record, indent=2))


def _run_folder(folder: Path) -> None:
    run = read_run(folder)
    for record in run.rounds:
        round_section(record, run, {})


def _write_kitti(folder: Path) -> None:
    rng = np.random.default_rng(3)
    for name in ("gt", "det"):
        (folder / name).mkdir()
    for number in range(3):
        for name, objects in zip(("gt", "det"), random_frame(rng)):
            (folder / name / f"{number}.txt").write_text(format_objects(objects, scored=name == "det"))


def _kitti(folder: Path) -> None:
    evaluate_kitti(*read_folders(folder / "gt", folder / "det"))


def _write_nuscenes(folder: Path) -> None:
    results = {"meta": {}, "results": {"a": [BOX, BOX], "b": []}}
    (folder / "results.json").write_text(json.dumps(results, indent=1))


def _write_objects(folder: Path) -> None:
    gt, predictions = random_scene(np.random.default_rng(5))
    write_gt(folder / "gt.bin", gt)
    number = {frame: row for row, frame in enumerate(dict.fromkeys(predictions.frame_id.tolist()))}
    rows = np.array([number[frame] for frame in predictions.frame_id.tolist()])
    frames = [("drive", int(frame)) for frame in number]
    write_predictions(folder / "det.bin", dataclasses.replace(predictions, frame_id=rows), frames)


def _write_arrays(folder: Path) -> None:
    np.savez(folder / "objects.npz", **as_arrays(*random_scene(np.random.default_rng(5))))


READERS = {
    "frame set: folder": (_write_frames, read_frames),
    "frame set: npz": (_write_npz, lambda folder: read_frames(folder / "set.npz")),
    "config file": (
        lambda folder: write_config(folder / "config.yaml", tiny_config(folder)),
        lambda folder: load_config(folder / "config.yaml"),
    ),
    "checkpoints": (_write_weights, _weights),
    "al_state.json": (_write_state, _state),
    "selection.json": (_write_selection, lambda folder: read_selection(folder / "selection.json", ["a", "b", "c"])),
    "run folder, for its report": (lambda folder: write_run(folder, 2), _run_folder),
    "results: kitti": (_write_kitti, _kitti),
    "results: nuscenes": (_write_nuscenes, lambda folder: read_results(folder / "results.json", ["a", "b"])),
    "results: waymo objects": (
        _write_objects,
        lambda folder: evaluate_waymo(*read_files(folder / "gt.bin", folder / "det.bin")),
    ),
    "results: waymo npz": (_write_arrays, lambda folder: evaluate_waymo(*read_arrays(folder / "objects.npz"))),
}
