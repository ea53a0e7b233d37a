"""Simulation of one frame: builds a scene, casts the rays and labels the objects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kecor.datasets.kitti.calibration import Calibration
from kecor.datasets.kitti.images import DEFAULT_IMAGE_SIZE
from kecor.datasets.kitti.labels import DONT_CARE, KittiObjects
from kecor.simulation.casting import Caster
from kecor.simulation.labels import Visibility, label, relabel
from kecor.simulation.objects.meshes import merge
from kecor.simulation.scenes.replay import Layouts, replayed_scene
from kecor.simulation.scenes.scene import Scene, random_scene
from kecor.simulation.sensor import measure, rays

CALIBRATION = Calibration(
    p2=np.array([[721.54, 0.0, 609.56, 44.86], [0.0, 721.54, 172.85, 0.2164], [0.0, 0.0, 1.0, 0.002746]]),
    r0=np.eye(3),
    v2c=np.array([[0.0, -1.0, 0.0, 0.0], [0.0, 0.0, -1.0, -0.08], [1.0, 0.0, 0.0, -0.27]]),
)
"""Calibration of random scenes: focal length and principal point of KITTI's left colour camera (Geiger et al., IJRR
2013), 0.27 m ahead of and 0.08 m below the sensor. KITTI's rotation of a few tenths of a degree is left out."""


@dataclass(frozen=True)
class SimulatedFrame:
    """The contents of a frame: (P, 4) points, label lines, calibration and image size (width, height)."""

    points: np.ndarray
    objects: KittiObjects
    calib: Calibration
    image_size: tuple[int, int]


def simulate(seed: int, index: int, layouts: Layouts | None = None, full_sweep: bool = False) -> SimulatedFrame:
    """Simulate one frame. The result is a function of the arguments and the layout files.

    Args:
        seed: seed of the data set.
        index: number of the frame.
        layouts: label files to replay; if None, the scene is random.
        full_sweep: keep the points of all 360 degrees instead of cropping them to the image.
    """
    rng = np.random.default_rng([seed, index])
    if layouts is None:
        scene, calib, size = random_scene(rng, full_sweep), CALIBRATION, DEFAULT_IMAGE_SIZE
    else:
        frame_id = layouts.ids[index]
        real, calib, size = layouts.objects(frame_id), layouts.calibration(frame_id), layouts.image_size(frame_id)
        scene = replayed_scene(real.take(real.names != DONT_CARE), calib, rng, full_sweep)
    points, visibility = sweep(scene, calib, size, rng, full_sweep)
    if layouts is None:
        objects = label(scene.names, scene.boxes, scene.meshes, visibility, calib, size)
    else:
        objects = relabel(real, scene.meshes, visibility, calib, size)
    return SimulatedFrame(points, objects, calib, size)


def sweep(
    scene: Scene, calib: Calibration, image_size: tuple[int, int], rng: np.random.Generator, full_sweep: bool = False
) -> tuple[np.ndarray, Visibility]:
    """Simulate one turn of the sensor: the (P, 4) points it returns and the visibility of each object."""
    shots = rays(full_sweep, rng.uniform(0, 2 * np.pi))
    hits = Caster(scene.mesh).first_hits(shots)
    points, kept = measure(shots, hits, scene.mesh.surface[hits.triangle], rng)
    viewed = calib.in_view(points, image_size)
    owner = scene.owner[hits.triangle]
    visibility = Visibility(
        points=_count(owner[kept[viewed]], len(scene.names)),
        visible=_count(owner[_in_image(shots, hits.ray, hits.distance, calib, image_size)], len(scene.names)),
        unoccluded=_unoccluded(scene, shots, calib, image_size),
    )
    return (points if full_sweep else points[viewed]), visibility


def _in_image(shots: np.ndarray, ray: np.ndarray, distance: np.ndarray, calib: Calibration, size: tuple[int, int]):
    """(H,) bool mask of the hits that project into the image."""
    return calib.in_view(shots[ray, :3] + distance[:, None] * shots[ray, 3:], size)


def _count(owner: np.ndarray, objects: int) -> np.ndarray:
    """(M,) number of hits per object; ``owner`` is -1 for hits on anything else."""
    return np.bincount(owner[owner >= 0], minlength=objects)


def _unoccluded(scene: Scene, shots: np.ndarray, calib: Calibration, image_size: tuple[int, int]) -> np.ndarray:
    """(M,) number of rays that would hit each object in the image if nothing else were there."""
    objects = len(scene.names)
    if not objects:
        return np.zeros(0, np.int64)
    ray, triangle, distance = Caster(merge(scene.meshes)).all_hits(shots)
    owner = scene.owner[triangle]
    order = np.lexsort((distance, owner, ray))
    ray, owner, distance = ray[order], owner[order], distance[order]
    first = np.ones(len(ray), bool)
    first[1:] = (ray[1:] != ray[:-1]) | (owner[1:] != owner[:-1])
    ray, owner, distance = ray[first], owner[first], distance[first]
    return _count(owner[_in_image(shots, ray, distance, calib, image_size)], objects)
