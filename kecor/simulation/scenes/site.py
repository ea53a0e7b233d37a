"""A scene under construction: the road, the ground, and the things placed so far."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from kecor.geometry.boxes import bev_corners
from kecor.ops import iou_bev
from kecor.simulation.objects.meshes import Mesh
from kecor.simulation.scenes.ground import Ground
from kecor.structures import wrap_angle

EGO = np.array([1.0, 0.0, -1.0, 8.0, 2.2, 1.5, 0.0])
"""(7,) box of the vehicle that carries the sensor, with some space ahead of it."""


@dataclass(frozen=True)
class Road:
    """The road of the sensor's vehicle, with constant curvature.

    Attributes:
        yaw: heading of the road at the sensor in radians.
        curvature: 1 / radius in 1/m, positive to the left.
        lateral: position of the sensor left of the centre line in metres; negative to the right.
    """

    yaw: float = 0.0
    curvature: float = 0.0
    lateral: float = 0.0

    def place(self, along: float, left: float) -> tuple[float, float, float]:
        """x, y and the heading of the road at ``along`` metres ahead and ``left`` metres left of the centre line."""
        heading = self.yaw + self.curvature * along
        bend = self.curvature * along**2 / 2
        sideways = bend - self.lateral
        x = along * np.cos(self.yaw) - sideways * np.sin(self.yaw) - left * np.sin(heading)
        y = along * np.sin(self.yaw) + sideways * np.cos(self.yaw) + left * np.cos(heading)
        return float(x), float(y), float(heading)

    def left_of_centre(self, xy: np.ndarray) -> np.ndarray:
        """(N,) metres left of the centre line of (N, 2) positions, to first order in the curvature."""
        along = xy[:, 0] * np.cos(self.yaw) + xy[:, 1] * np.sin(self.yaw)
        across = xy[:, 1] * np.cos(self.yaw) - xy[:, 0] * np.sin(self.yaw)
        return across + self.lateral - self.curvature * along**2 / 2


@dataclass
class Site:
    """A scene under construction. Objects and clutter are only added where there is free space.

    Attributes:
        ground: the ground that everything stands on.
        names: class names of the objects.
        boxes: (7,) LiDAR-frame box of each object.
        clutter: meshes of the unlabelled things, without the ground.
        taken: (7,) footprints of objects and clutter.
        keep_visible: refuse clutter in the line of sight to an object.
    """

    ground: Ground
    names: list[str] = field(default_factory=list)
    boxes: list[np.ndarray] = field(default_factory=list)
    clutter: list[Mesh] = field(default_factory=list)
    taken: list[np.ndarray] = field(default_factory=lambda: [EGO])
    keep_visible: bool = False

    def add_object(self, name: str, x: float, y: float, heading: float, size: np.ndarray, gap: float = 0.25) -> bool:
        """Place an object on the ground if nothing is within ``gap`` metres; return whether it was placed."""
        z = self.ground.height(np.array([[x, y]]))[0] + size[2] / 2
        box = np.array([x, y, z, *size, wrap_angle(heading)])
        if not self._free(box, gap):
            return False
        self.names.append(name)
        self.boxes.append(box)
        self.taken.append(box)
        return True

    def add_clutter(self, mesh: Mesh, x: float, y: float, heading: float, gap: float = 0.1) -> bool:
        """Place a mesh that stands on z = 0 on the ground if the space is free; return whether it was placed."""
        low, high = mesh.vertices.min(0), mesh.vertices.max(0)
        middle, size = (low + high) / 2, high - low
        c, s = np.cos(heading), np.sin(heading)
        centre = (x + c * middle[0] - s * middle[1], y + s * middle[0] + c * middle[1])
        box = np.array([*centre, 0.0, *np.maximum(size, 0.05), heading])
        if not self._free(box, gap) or (self.keep_visible and self._blocks_view(box)):
            return False
        self.clutter.append(mesh.placed(x, y, self.ground.height(np.array([[x, y]]))[0], heading))
        self.taken.append(box)
        return True

    def _free(self, box: np.ndarray, gap: float) -> bool:
        enlarged = box.copy()
        enlarged[3:5] += 2 * gap
        return not (iou_bev(enlarged[None], np.array(self.taken)) > 0).any()

    def _blocks_view(self, box: np.ndarray) -> bool:
        """Whether a footprint is in front of an object, seen from the sensor."""
        if not self.boxes:
            return False
        low, high, near = _azimuths(box[None])
        lows, highs, nears = _azimuths(np.array(self.boxes))
        overlap = (wrap_angle(lows - high) < 0) & (wrap_angle(highs - low) > 0)
        return bool((overlap & (near < nears + 2.0)).any())


def _azimuths(boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(M,) smallest and largest azimuth and smallest distance of the corners of (M, 7) boxes."""
    corner = bev_corners(boxes)
    middle = np.arctan2(boxes[:, 1], boxes[:, 0])
    off = wrap_angle(np.arctan2(corner[..., 1], corner[..., 0]) - middle[:, None])
    return middle + off.min(1), middle + off.max(1), np.hypot(corner[..., 0], corner[..., 1]).min(1)
