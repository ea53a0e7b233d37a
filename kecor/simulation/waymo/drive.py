"""A short drive through a scene: the vehicle and what moves around it, and what TOP measures, frame by frame."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from kecor.datasets.waymo.range_images import frame_points
from kecor.datasets.waymo.raw import LABEL, TYPE_NAMES, Laser, RawFrame
from kecor.ops import count_points_in_boxes, iou_bev
from kecor.simulation.casting import Caster
from kecor.simulation.objects.meshes import Mesh
from kecor.simulation.scenes.scene import Scene, random_scene
from kecor.simulation.sensor import MOUNT_HEIGHT, measure
from kecor.simulation.waymo import sensor
from kecor.structures import wrap_angle

CLASSES = {
    "Car": "Vehicle",
    "Van": "Vehicle",
    "Truck": "Vehicle",
    "Tram": "Vehicle",
    "Misc": "Vehicle",
    "Pedestrian": "Pedestrian",
    "Person_sitting": "Pedestrian",
    "Cyclist": "Cyclist",
}
"""Class in a scene -> class of Waymo."""
SPEEDS = {"Car": 9.0, "Van": 8.0, "Truck": 7.0, "Pedestrian": 1.3, "Cyclist": 4.0}
"""Mean speed of what moves, m/s; everything else stands."""
LANES = 5.0
"""Metres left and right of the vehicle within which other vehicles drive; beyond, they are parked."""

VEHICLE = (4.8, 2.0, 1.6)
"""Length, width and height in metres of the vehicle that carries the laser."""
STEP = 0.1
"""Seconds between the times at which collisions are looked for."""
NEAR = 30.0
"""Metres within which a drive's scene holds an object."""


@dataclass(frozen=True)
class Drive:
    """A scene in the vehicle frame of time 0, whose origin is on the road, and how things move in it.

    Attributes:
        scene: at time 0.
        velocity: (M, 2) of the objects, m/s.
        speed: of the vehicle, m/s.
        turn: of the vehicle, rad/s.
        start: (4, 4) vehicle to global at time 0.
    """

    scene: Scene
    velocity: np.ndarray
    speed: float
    turn: float
    start: np.ndarray

    def pose(self, time: float) -> np.ndarray:
        """(4, 4) vehicle frame of ``time`` to that of time 0."""
        yaw = self.turn * time
        along = self.speed * time
        return planar(along, along * yaw / 2, yaw)

    def boxes(self, time: float) -> np.ndarray:
        """(M, 7) the objects in the vehicle frame of ``time``."""
        boxes, pose = self.scene.boxes.copy(), self.pose(time)
        boxes[:, :2] += self.velocity * time
        boxes[:, :3] = (boxes[:, :3] - pose[:3, 3]) @ pose[:3, :3]
        boxes[:, 6] = wrap_angle(boxes[:, 6] - self.turn * time)
        return boxes

    def mesh(self, time: float) -> Mesh:
        """Everything, in the vehicle frame of time 0, with the objects where they are at ``time``."""
        mesh = self.scene.mesh
        counts = [len(object_.vertices) for object_ in self.scene.meshes]
        vertices = mesh.vertices.copy()
        vertices[: sum(counts), :2] += np.repeat(self.velocity * time, counts, axis=0)
        return replace(mesh, vertices=vertices)


def planar(x: float, y: float, yaw: float) -> np.ndarray:
    """(4, 4) transform that turns about +z by ``yaw`` radians and moves by x, y."""
    pose = np.eye(4)
    pose[:2, :2] = [[np.cos(yaw), -np.sin(yaw)], [np.sin(yaw), np.cos(yaw)]]
    pose[:2, 3] = x, y
    return pose


def random_drive(rng: np.random.Generator, seconds: float) -> Drive:
    """A drive through a random scene with an object nearby: a segment without any label counts as not labelled.

    Nothing that moves touches anything else within ``seconds``, the vehicle included.
    """
    scene = random_scene(rng, full_sweep=True)
    while not (np.hypot(scene.boxes[:, 0], scene.boxes[:, 1]) < NEAR).any():
        scene = random_scene(rng, full_sweep=True)
    up = np.array([0.0, 0.0, MOUNT_HEIGHT])
    boxes = scene.boxes + np.pad(up, (0, 4))
    scene = replace(scene, boxes=boxes, mesh=replace(scene.mesh, vertices=scene.mesh.vertices + up))
    start = planar(rng.uniform(-2000, 2000), rng.uniform(-2000, 2000), rng.uniform(-np.pi, np.pi))
    velocity = _velocities(scene, rng)
    return _without_collisions(Drive(scene, velocity, rng.uniform(0, 8), rng.normal(scale=0.03), start), seconds)


def _velocities(scene: Scene, rng: np.random.Generator) -> np.ndarray:
    """(M, 2) m/s along each object's heading; vehicles off the road are parked."""
    speed = np.array([SPEEDS.get(name, 0.0) for name in scene.names]) * rng.uniform(0.6, 1.3, len(scene.names))
    parked = (speed > 5) & (np.abs(scene.boxes[:, 1]) > LANES)
    speed = np.where(parked, 0.0, speed)
    return speed[:, None] * np.column_stack([np.cos(scene.boxes[:, 6]), np.sin(scene.boxes[:, 6])])


def _without_collisions(drive: Drive, seconds: float) -> Drive:
    """The drive without the motion of what would touch something else, be it where that starts or where it moves."""
    start = _footprints(drive, 0.0)
    touched = np.zeros(len(start), bool)
    for time in np.arange(STEP, seconds + STEP, STEP):
        now = _footprints(drive, time)
        overlap = (iou_bev(now, start) > 0) | (iou_bev(now, now) > 0)
        touched |= (overlap & ~np.eye(len(now), dtype=bool)).any(1)
    velocity = np.where(touched[:-1, None], 0.0, drive.velocity)
    return replace(drive, velocity=velocity, speed=0.0 if touched[-1] else drive.speed)


def _footprints(drive: Drive, time: float) -> np.ndarray:
    """(M + 1, 7) boxes of the objects and of the vehicle itself, in the vehicle frame of time 0."""
    boxes, pose = drive.scene.boxes.copy(), drive.pose(time)
    boxes[:, :2] += drive.velocity * time
    own = [*pose[:2, 3], VEHICLE[2] / 2, *VEHICLE, drive.turn * time]
    return np.vstack([boxes, own])


def simulate_frame(drive: Drive, segment: str, number: int, rng: np.random.Generator) -> RawFrame:
    """Frame ``number`` of a drive at ten frames a second: one turn of TOP and the objects that hold a point of it."""
    time = number * sensor.TURN
    mesh, shots = drive.mesh(time), sensor.rays(drive.pose, time)
    hits = Caster(mesh).first_hits(shots)
    points, kept = measure(shots, hits, mesh.surface[hits.triangle], rng)
    ray = hits.ray[kept]
    image = np.full((len(shots), 4), -1, np.float32)
    image[ray, 0] = np.linalg.norm(points[:, :3] - shots[ray, :3], axis=1)
    image[ray, 1], image[ray, 2] = points[:, 3], 0
    pose = drive.start @ drive.pose(time)
    laser = Laser(
        name=1,
        extrinsic=sensor.EXTRINSIC,
        inclinations=sensor.INCLINATIONS,
        returns=[image.reshape(len(sensor.INCLINATIONS), sensor.COLUMNS, 4)],
        pixel_pose=_pixel_pose(drive, time),
    )
    frame = RawFrame(segment, round((1.5e9 + time) * 1e6), pose, [laser])
    return replace(frame, labels=_labels(drive, time, frame_points(frame)[0]))


def _pixel_pose(drive: Drive, time: float) -> np.ndarray:
    """(H, W, 6) roll, pitch, yaw, x, y, z of the vehicle when each column was measured."""
    poses = np.array([drive.start @ drive.pose(time + t) for t in sensor.column_times()])
    yaw = np.arctan2(poses[:, 1, 0], poses[:, 0, 0])
    columns = np.column_stack([np.zeros((len(yaw), 2)), yaw, poses[:, :3, 3]]).astype(np.float32)
    return np.broadcast_to(columns, (len(sensor.INCLINATIONS), *columns.shape))


def _labels(drive: Drive, time: float, points: np.ndarray) -> np.ndarray:
    """The labels of the objects that hold at least one point."""
    boxes = drive.boxes(time)
    labels = np.zeros(len(boxes), LABEL)
    labels["type"] = [TYPE_NAMES.index(CLASSES[name]) for name in drive.scene.names]
    labels["box"] = boxes
    labels["id"] = [f"object_{i:03d}".encode() for i in range(len(boxes))]
    labels["n_points"] = labels["n_top_points"] = count_points_in_boxes(points, boxes.astype(np.float32))
    labels["speed"][:, :2] = drive.velocity @ drive.start[:2, :2].T
    return labels[labels["n_points"] > 0]
