"""Simulated drives in nuScenes' layout: 32 beams, 20 turns a second, two key frames a second."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from kecor.datasets.nuscenes.devkit import SPLITS
from kecor.datasets.nuscenes.scenes import Objects, Scene, Sweep
from kecor.datasets.nuscenes.writing import write_nuscenes
from kecor.errors import DataError
from kecor.files import write_json
from kecor.progress import progress_bar
from kecor.simulation.drives import beam_rays, turn_at
from kecor.simulation.waymo.drive import Drive, random_drive

VERSION = "v1.0-simulated"
TURN, TURNS_A_KEY = 0.05, 10
"""Seconds of a turn; turns from one key frame to the next."""
COLUMNS = 1084
ELEVATION = np.deg2rad(np.linspace(10.67, -30.67, 32))
"""(32,) of the beams of nuScenes' HDL-32E, the highest first."""
MOUNT = np.array([[0.0, 1, 0, 0.94], [-1, 0, 0, 0], [0, 0, 1, 1.84], [0, 0, 0, 1]])
"""Laser to vehicle: x to the right, y ahead, on the roof."""
CATEGORIES = {
    "Car": "vehicle.car",
    "Van": "vehicle.car",
    "Truck": "vehicle.truck",
    "Tram": "vehicle.bus.rigid",
    "Misc": "vehicle.trailer",
    "Pedestrian": "human.pedestrian.adult",
    "Person_sitting": "human.pedestrian.adult",
    "Cyclist": "vehicle.bicycle",
}
"""Class in a scene -> category."""


def write_simulated(
    out: str | Path,
    scenes: int,
    frames: int = 5,
    seed: int = 0,
    sweeps: int = TURNS_A_KEY,
    val_fraction: float = 0.25,
    progress: bool = True,
) -> None:
    """Write drives to ``out`` and their splits ``train`` and ``val``; the same arguments give the same files.

    Args:
        out: folder to write.
        scenes: number of drives.
        frames: key frames of each drive, half a second apart.
        seed: drive i is a function of (seed, i).
        sweeps: of the turns from one key frame to the next, how many of the last are simulated and written.
        val_fraction: share of the drives in the split ``val``.
        progress: show a progress bar.

    Raises:
        DataError: an argument is out of range.
    """
    if scenes < 1 or frames < 1 or seed < 0 or not 1 <= sweeps <= TURNS_A_KEY or not 0 <= val_fraction < 1:
        raise DataError(f"scenes {scenes}, frames {frames}, seed {seed}, sweeps {sweeps}: out of range")
    names = [f"scene-simulated-{seed}-{i:04d}" for i in range(scenes)]
    n_val = round(val_fraction * scenes)
    order = np.random.default_rng(seed).permutation(scenes).tolist()
    held_out = {names[i] for i in order[:n_val]}
    splits = {"train": [n for n in names if n not in held_out], "val": [n for n in names if n in held_out]}

    def simulated() -> Iterator[Scene]:
        with progress_bar("scenes", scenes, "scene", shown=progress) as bar:
            for i, name in enumerate(names):
                yield _scene(name, frames, sweeps, np.random.default_rng([seed, i]))
                bar.update()

    write_nuscenes(out, VERSION, simulated(), MOUNT)
    write_json(Path(out) / VERSION / SPLITS, splits)


def _scene(name: str, frames: int, sweeps: int, rng: np.random.Generator) -> Scene:
    drive = random_drive(rng, frames * TURNS_A_KEY * TURN)
    rays, scene = beam_rays(ELEVATION, COLUMNS), Scene(name)
    last = (frames - 1) * TURNS_A_KEY
    for number in range(last + 1):
        before_key = (-number) % TURNS_A_KEY
        if before_key < sweeps:
            scene.sweeps.append(_sweep(drive, number * TURN, rays, rng, before_key == 0))
    return scene


def _sweep(drive: Drive, time: float, rays: np.ndarray, rng: np.random.Generator, is_key_frame: bool) -> Sweep:
    turn = turn_at(drive, time, MOUNT, rays, rng)
    intensity, ring = turn.points[:, 3:] * 255, turn.rings[:, None]
    points = np.hstack([turn.points[:, :3], intensity, ring]).astype(np.float32)
    objects = None
    if is_key_frame:
        speeds = np.linalg.norm(drive.velocity[turn.objects], axis=1)
        categories = [CATEGORIES[drive.scene.names[i]] for i in turn.objects]
        objects = Objects(turn.boxes, categories, turn.objects.tolist(), speeds)
    return Sweep(1.5e9 + time, points, drive.start @ drive.pose(time), is_key_frame, objects)
