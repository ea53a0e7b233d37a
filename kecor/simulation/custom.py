"""Simulated drives in the layout of sweeps of one's own: clouds, labels, poses and time stamps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from kecor.datasets.custom.writing import write_custom_set
from kecor.errors import DataError
from kecor.progress import progress_bar
from kecor.simulation.drives import beam_rays, turn_at
from kecor.simulation.sensor import COLUMNS, MOUNT_HEIGHT, beam_table
from kecor.simulation.waymo.drive import Drive, random_drive
from kecor.structures import Frame

STEP = 0.5
"""Seconds between the frames of a drive."""
CLASSES = ("Car", "Pedestrian", "Cyclist")
"""What is labelled; other objects stand in the scene without a label."""


def write_simulated(
    out: str | Path,
    drives: int,
    frames: int = 5,
    seed: int = 0,
    form: str = "bin",
    labelled: float = 1.0,
    val_fraction: float = 0.25,
    progress: bool = True,
) -> None:
    """Write drives to ``out``: ``points/DRIVE/ID.FORM``, ``labels``, ``ImageSets``, ``poses.txt``, ``timestamps.txt``.

    Args:
        out: folder to write.
        drives: number of drives.
        frames: of each drive, half a second apart.
        seed: drive i is a function of (seed, i).
        form: ``bin``, ``npy`` or ``pcd``.
        labelled: share of the frames of ``train`` that get labels, the first ones; those of ``val`` all do.
        val_fraction: share of the drives in the split ``val``.
        progress: show a progress bar.

    Raises:
        DataError: an argument is out of range.
    """
    if drives < 1 or frames < 1 or seed < 0 or not 0 <= val_fraction < 1 or not 0 <= labelled <= 1:
        raise DataError(f"drives {drives}, frames {frames}, seed {seed}, labelled {labelled}: out of range")
    made = [random_drive(np.random.default_rng([seed, i]), frames * STEP) for i in range(drives)]
    ids = {i: [f"drive_{i:03d}/{k:06d}" for k in range(frames)] for i in range(drives)}
    order = np.random.default_rng(seed).permutation(drives).tolist()
    held_out = set(order[: round(val_fraction * drives)])
    splits = {
        "train": [frame_id for i in range(drives) if i not in held_out for frame_id in ids[i]],
        "val": [frame_id for i in sorted(held_out) for frame_id in ids[i]],
    }
    hidden = splits["train"][round(labelled * len(splits["train"])) :]
    places = [(i, k, frame_id) for i in range(drives) for k, frame_id in enumerate(ids[i])]

    def simulated() -> Iterator[Frame]:
        with progress_bar("simulate", len(places), "frame", shown=progress) as bar:
            for i, k, frame_id in places:
                yield _frame(made[i], k * STEP, frame_id, np.random.default_rng([seed, i, k]))
                bar.update()

    poses = {frame_id: made[i].start @ made[i].pose(k * STEP) @ _mount() for i, k, frame_id in places}
    seconds = {frame_id: 1.5e9 + 1000.0 * i + k * STEP for i, k, frame_id in places}
    write_custom_set(out, simulated(), splits, form, unlabelled=hidden, poses=poses, timestamps=seconds)


def _mount() -> np.ndarray:
    """(4, 4) laser to vehicle, whose origin is on the road."""
    mount = np.eye(4)
    mount[2, 3] = MOUNT_HEIGHT
    return mount


def _frame(drive: Drive, time: float, frame_id: str, rng: np.random.Generator) -> Frame:
    turn = turn_at(drive, time, _mount(), beam_rays(beam_table()[0], COLUMNS), rng)
    names = np.array([drive.scene.names[i] for i in turn.objects], dtype=str)
    known = np.isin(names, CLASSES)
    return Frame(frame_id, turn.points, turn.boxes[known], names[known])
