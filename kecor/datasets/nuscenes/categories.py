"""nuScenes' classes of the detection task, the categories they gather and the attributes they have."""

from __future__ import annotations

CLASSES = (
    "car",
    "truck",
    "bus",
    "trailer",
    "construction_vehicle",
    "pedestrian",
    "motorcycle",
    "bicycle",
    "traffic_cone",
    "barrier",
)
"""The classes of the detection task."""

CATEGORIES = {
    "human.pedestrian.adult": "pedestrian",
    "human.pedestrian.child": "pedestrian",
    "human.pedestrian.wheelchair": "",
    "human.pedestrian.stroller": "",
    "human.pedestrian.personal_mobility": "",
    "human.pedestrian.police_officer": "pedestrian",
    "human.pedestrian.construction_worker": "pedestrian",
    "animal": "",
    "vehicle.car": "car",
    "vehicle.motorcycle": "motorcycle",
    "vehicle.bicycle": "bicycle",
    "vehicle.bus.bendy": "bus",
    "vehicle.bus.rigid": "bus",
    "vehicle.truck": "truck",
    "vehicle.construction": "construction_vehicle",
    "vehicle.emergency.ambulance": "",
    "vehicle.emergency.police": "",
    "vehicle.trailer": "trailer",
    "movable_object.barrier": "barrier",
    "movable_object.trafficcone": "traffic_cone",
    "movable_object.pushable_pullable": "",
    "movable_object.debris": "",
    "static_object.bicycle_rack": "",
}
"""Category -> class of the detection task, empty where it has none (nuscenes-devkit, eval/detection/README.md)."""

MOVING = 0.2
"""Speed in m/s above which an object counts as moving."""

VEHICLE = ("vehicle.moving", "vehicle.parked")
CYCLE = ("cycle.with_rider", "cycle.without_rider")
ATTRIBUTES = {
    "car": VEHICLE,
    "truck": VEHICLE,
    "bus": ("vehicle.moving", "vehicle.stopped"),
    "trailer": VEHICLE,
    "construction_vehicle": VEHICLE,
    "pedestrian": ("pedestrian.moving", "pedestrian.standing"),
    "motorcycle": CYCLE,
    "bicycle": CYCLE,
    "traffic_cone": ("", ""),
    "barrier": ("", ""),
}
"""Attribute of a moving and of a standing object of each class, as OpenPCDet writes it."""


def attribute_of(name: str, speed: float) -> str:
    """The attribute a box of class ``name`` gets that moves at ``speed`` m/s; empty for classes without attributes."""
    return ATTRIBUTES[name][0 if speed > MOVING else 1]
