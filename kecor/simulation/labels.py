"""KITTI label lines of a simulated scene.

Rules:
    bbox: projection of the object's mesh, clipped to the image.
    truncated: share of the area of the unclipped projection that is outside the image.
    occluded: share of the rays that would hit the object if nothing else were there, but hit something else first:
        level 0 below 15 %, 1 below 50 %, 2 above; 3 (unknown) if no ray hits it even then.
    An object with fewer than ``MIN_POINTS`` points becomes DontCare if part of it is visible or it is too far away for
        the beams. It is left out if it is completely hidden or outside the image. Objects replayed from a label file
        are always labelled.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from kecor.datasets.kitti.calibration import Calibration
from kecor.datasets.kitti.labels import DONT_CARE, KittiObjects
from kecor.simulation.objects.meshes import Mesh
from kecor.structures import wrap_angle

MIN_POINTS = 3
"""Points from which an object is labelled."""
PARTLY, LARGELY = 0.15, 0.5
"""Share of blocked rays from which an object is partly, and largely, occluded."""
NEAR_PLANE = 0.5
"""Depth in metres at which meshes are clipped, because points beside the camera have no projection."""
MIN_PIXELS = 2.0
"""Width and height in pixels below which an object gets no label line."""


@dataclass(frozen=True)
class Visibility:
    """How much of each of M objects the sensor sees within the camera image.

    Attributes:
        points: (M,) number of returned points.
        visible: (M,) number of rays that hit the object first.
        unoccluded: (M,) number of rays that would hit it if nothing else were there.
    """

    points: np.ndarray
    visible: np.ndarray
    unoccluded: np.ndarray

    def occluded(self) -> np.ndarray:
        """(M,) KITTI occlusion levels."""
        blocked = 1 - self.visible / np.maximum(self.unoccluded, 1)
        level = np.digitize(blocked, [PARTLY, LARGELY])
        return np.where(self.unoccluded == 0, 3, level)


def project(mesh: Mesh, calib: Calibration, image_size: tuple[int, int]) -> tuple[np.ndarray, float]:
    """The (4,) image box of a LiDAR-frame mesh, clipped to the image, and the share of the unclipped box outside it.

    A mesh outside the image has an empty box (right <= left or bottom <= top) and share 1.
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
    visibility: Visibility,
    calib: Calibration,
    image_size: tuple[int, int],
) -> KittiObjects:
    """The label lines of the objects of a random scene, nearest first, then its DontCare regions."""
    projections = [project(mesh, calib, image_size) for mesh in meshes]
    bbox = np.array([box for box, _ in projections]).reshape(-1, 4)
    truncated = np.array([share for _, share in projections])
    objects = _objects(names, boxes, bbox, truncated, visibility, calib)
    in_image = (bbox[:, 2:] - bbox[:, :2] >= MIN_PIXELS).all(1)
    labelled = in_image & (visibility.points >= MIN_POINTS)
    regions = in_image & ~labelled & ((visibility.visible > 0) | (visibility.unoccluded < MIN_POINTS))
    order = np.argsort(np.hypot(boxes[:, 0], boxes[:, 1]), kind="stable")
    return join(objects.take(order[labelled[order]]), dont_care(bbox[order[regions[order]]]))


def _objects(
    names: np.ndarray,
    boxes: np.ndarray,
    bbox: np.ndarray,
    truncated: np.ndarray,
    visibility: Visibility,
    calib: Calibration,
) -> KittiObjects:
    dimensions, location, rotation = calib.boxes_to_camera(boxes)
    return KittiObjects(
        names=np.asarray(names, dtype=str),
        truncated=truncated,
        occluded=visibility.occluded().astype(np.int64),
        alpha=wrap_angle(rotation - np.arctan2(location[:, 0], location[:, 2])),
        bbox=bbox,
        dimensions=dimensions,
        location=location,
        rotation_y=rotation,
        scores=np.zeros(len(names)),
    )


def relabel(
    real: KittiObjects, meshes: list[Mesh], visibility: Visibility, calib: Calibration, image_size: tuple[int, int]
) -> KittiObjects:
    """A real label file with simulated truncation, occlusion, 2D boxes and alpha; DontCare lines are unchanged.

    ``meshes`` and ``visibility`` belong to the lines other than DontCare. A line whose mesh is outside the image keeps
    its 2D box and truncation.
    """
    regions = real.names == DONT_CARE
    objects = real.take(~regions)
    bbox, truncated = objects.bbox.copy(), objects.truncated.copy()
    for i, mesh in enumerate(meshes):
        box, share = project(mesh, calib, image_size)
        if (box[2:] > box[:2]).all():
            bbox[i], truncated[i] = box, share
    objects.bbox, objects.truncated = bbox, truncated
    objects.occluded = visibility.occluded().astype(np.int64)
    objects.alpha = wrap_angle(objects.rotation_y - np.arctan2(objects.location[:, 0], objects.location[:, 2]))
    return join(objects, real.take(regions))


def dont_care(bbox: np.ndarray) -> KittiObjects:
    """DontCare lines of (K, 4) image boxes, with the placeholder values of KITTI's label files."""
    rows = np.full((len(bbox), 15), -1.0)
    rows[:, 2] = rows[:, 13] = -10
    rows[:, 3:7] = bbox
    rows[:, 10:13] = -1000
    rows[:, 14] = 0
    return KittiObjects.from_rows([DONT_CARE] * len(bbox), rows)


def join(first: KittiObjects, second: KittiObjects) -> KittiObjects:
    """The lines of ``first``, then those of ``second``."""
    fields = vars(first)
    return KittiObjects(**{name: np.concatenate([fields[name], getattr(second, name)]) for name in fields})
