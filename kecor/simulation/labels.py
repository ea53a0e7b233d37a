"""From what the sensor sees of a scene to KITTI label lines.

Rules:
    bbox: the object's mesh, projected and clipped to the image.
    truncated: share of the unclipped projection's area outside the image.
    occluded: by the share of the rays that hit the object when it is cast at alone, but hit something else first in
        the whole scene: 0 below 15 %, 1 below 50 %, 2 above; 3 (unknown) when no ray hits it even alone.
    An object with fewer than ``MIN_POINTS`` points becomes DontCare when part of it is in sight or it is too far for
        the beams, and is left out when something hides it wholly or it is not in the image. Objects that
        are replayed from a label file are always labelled.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kecor.datasets.kitti.calibration import Calibration
from kecor.datasets.kitti.labels import DONT_CARE, KittiObjects
from kecor.simulation.objects.meshes import Mesh
from kecor.structures import wrap_angle

MIN_POINTS = 3
PARTLY, LARGELY = 0.15, 0.5
NEAR_PLANE = 0.5
"""Metres of depth before which a mesh is cut: what is beside the camera has no projection."""
MIN_PIXELS = 2.0


@dataclass(frozen=True)
class Sight:
    """What the camera's part of the sweep holds of each of M objects.

    Attributes:
        points: (M,) points returned.
        visible: (M,) rays that hit it first.
        alone: (M,) rays that would hit it if nothing else were there.
    """

    points: np.ndarray
    visible: np.ndarray
    alone: np.ndarray

    def occluded(self) -> np.ndarray:
        """(M,) KITTI's occlusion level."""
        blocked = 1 - self.visible / np.maximum(self.alone, 1)
        level = np.digitize(blocked, [PARTLY, LARGELY])
        return np.where(self.alone == 0, 3, level)


def project(mesh: Mesh, calib: Calibration, image_size: tuple[int, int]) -> tuple[np.ndarray, float]:
    """The (4,) clipped image box of a LiDAR-frame mesh and the share of the unclipped one outside the image.

    A mesh of which nothing falls on the image has an empty box (right <= left or bottom <= top) and share 1.
    """
    rect = calib.lidar_to_rect(mesh.vertices)
    ahead = rect[:, 2] >= NEAR_PLANE
    edges = np.concatenate([mesh.triangles[:, [0, 1]], mesh.triangles[:, [1, 2]], mesh.triangles[:, [2, 0]]])
    a, b = rect[edges[ahead[edges[:, 0]] != ahead[edges[:, 1]]].T]
    cut = a + (b - a) * ((NEAR_PLANE - a[:, 2]) / (b[:, 2] - a[:, 2]))[:, None]
    pixels, _ = calib.rect_to_image(np.concatenate([rect[ahead], cut]))
    if not len(pixels):
        return np.zeros(4), 1.0
    low, high = pixels.min(0), pixels.max(0)
    limit = np.array(image_size, np.float64) - 1
    clipped_low, clipped_high = np.clip(low, 0, limit), np.clip(high, 0, limit)
    share = np.prod(clipped_high - clipped_low) / np.prod(high - low)
    return np.concatenate([clipped_low, clipped_high]), float(1 - share)


def label(
    names: np.ndarray,
    boxes: np.ndarray,
    meshes: list[Mesh],
    sight: Sight,
    calib: Calibration,
    image_size: tuple[int, int],
) -> KittiObjects:
    """The label lines of a random scene's objects, nearest first, then its DontCare regions."""
    flat = [project(mesh, calib, image_size) for mesh in meshes]
    bbox = np.array([f[0] for f in flat]).reshape(-1, 4)
    truncated = np.array([f[1] for f in flat])
    objects = _objects(names, boxes, bbox, truncated, sight, calib)
    in_image = (bbox[:, 2:] - bbox[:, :2] >= MIN_PIXELS).all(1)
    labelled = in_image & (sight.points >= MIN_POINTS)
    regions = in_image & ~labelled & ((sight.visible > 0) | (sight.alone < MIN_POINTS))
    order = np.argsort(np.hypot(boxes[:, 0], boxes[:, 1]), kind="stable")
    return join(objects.take(order[labelled[order]]), dont_care(bbox[order[regions[order]]]))


def _objects(
    names: np.ndarray,
    boxes: np.ndarray,
    bbox: np.ndarray,
    truncated: np.ndarray,
    sight: Sight,
    calib: Calibration,
) -> KittiObjects:
    dimensions, location, rotation = calib.boxes_to_camera(boxes)
    return KittiObjects(
        names=np.asarray(names, dtype=str),
        truncated=truncated,
        occluded=sight.occluded().astype(np.int64),
        alpha=wrap_angle(rotation - np.arctan2(location[:, 0], location[:, 2])),
        bbox=bbox,
        dimensions=dimensions,
        location=location,
        rotation_y=rotation,
        scores=np.zeros(len(names)),
    )


def relabel(
    real: KittiObjects, meshes: list[Mesh], sight: Sight, calib: Calibration, image_size: tuple[int, int]
) -> KittiObjects:
    """A real label file with truncation, occlusion, 2D box and alpha as simulated; its DontCare lines stay as they are.

    ``meshes`` and ``sight`` speak of the lines that are not DontCare. A line whose mesh misses the image keeps its
    2D box and truncation.
    """
    regions = real.names == DONT_CARE
    objects = real.take(~regions)
    bbox, truncated = objects.bbox.copy(), objects.truncated.copy()
    for i, mesh in enumerate(meshes):
        box, share = project(mesh, calib, image_size)
        if (box[2:] > box[:2]).all():
            bbox[i], truncated[i] = box, share
    objects.bbox, objects.truncated = bbox, truncated
    objects.occluded = sight.occluded().astype(np.int64)
    objects.alpha = wrap_angle(objects.rotation_y - np.arctan2(objects.location[:, 0], objects.location[:, 2]))
    return join(objects, real.take(regions))


def dont_care(bbox: np.ndarray) -> KittiObjects:
    """DontCare lines of (K, 4) image regions, with the fill values of KITTI's label files."""
    rows = np.full((len(bbox), 15), -1.0)
    rows[:, 2] = rows[:, 13] = -10
    rows[:, 3:7] = bbox
    rows[:, 10:13] = -1000
    rows[:, 14] = 0
    return KittiObjects.from_rows([DONT_CARE] * len(bbox), rows)


def join(first: KittiObjects, second: KittiObjects) -> KittiObjects:
    """The lines of both."""
    fields = vars(first)
    return KittiObjects(**{name: np.concatenate([fields[name], getattr(second, name)]) for name in fields})
