"""Meshes of pedestrians, seated people and cyclists: x forward, origin at the centre of the box they fill."""

from __future__ import annotations

import numpy as np

from kecor.simulation.objects.meshes import Mesh, Surface, ellipsoid, hoop, merge, tube

SKIN = Surface(0.45)
STEEL = Surface(0.3, loss=0.1)
TYRE = Surface(0.1, loss=0.1)


def _point(x: float, y: float, z: float) -> np.ndarray:
    return np.array([x, y, z])


def _cloth(rng: np.random.Generator) -> Surface:
    return Surface(rng.uniform(0.15, 0.65), loss=rng.uniform(0.0, 0.05))


def _leg(hip: np.ndarray, knee: np.ndarray, foot: np.ndarray, cloth: Surface) -> list[Mesh]:
    """Thigh, shin and shoe."""
    return [
        tube(hip, knee, 0.085, cloth, 0.065),
        tube(knee, foot, 0.06, cloth, 0.045),
        tube(foot - _point(0.06, 0, 0), foot + _point(0.18, 0, -0.01), 0.045, Surface(0.1)),
    ]


def _torso(hip: np.ndarray, neck: np.ndarray, shoulders: float, cloth: Surface) -> list[Mesh]:
    """Trunk, shoulders and head; ``hip`` and ``neck`` are points on the body's axis."""
    up = (neck - hip) / np.linalg.norm(neck - hip)
    return [
        tube(hip - 0.05 * up, neck - 0.08 * up, 0.14, cloth, 0.17),
        tube(neck - _point(0, shoulders / 2 - 0.05, 0.1), neck + _point(0, shoulders / 2 - 0.05, -0.1), 0.075, cloth),
        ellipsoid(neck + 0.15 * up + _point(0.02, 0, 0), (0.1, 0.08, 0.135), SKIN),
    ]


def pedestrian(size: tuple[float, float, float], rng: np.random.Generator) -> Mesh:
    """A walking person with swinging arms, some with a bag, scaled to ``size`` (length, width, height)."""
    cloth, trousers = _cloth(rng), _cloth(rng)
    stride, swing = rng.uniform(0.12, 0.36), rng.uniform(0.1, 0.35)
    hip, neck = _point(0.0, 0.0, 0.9), _point(rng.uniform(0.0, 0.06), 0.0, 1.47)
    parts = _torso(hip, neck, 0.46, cloth)
    for side in (-1, 1):
        start = _point(0.0, side * 0.1, 0.88)
        foot = _point(side * stride - 0.04, side * 0.11, 0.05)
        knee = (start + foot) / 2 + _point(0.05, 0, 0)
        parts += _leg(start, knee, foot, trousers)
        shoulder = neck + _point(0.0, side * 0.21, -0.1)
        elbow = shoulder + _point(-side * swing / 2, side * 0.04, -0.28)
        parts += [
            tube(shoulder, elbow, 0.05, cloth),
            tube(elbow, elbow + _point(0.1 - side * swing / 2, 0, -0.22), 0.04, SKIN),
        ]
    if rng.random() < 0.3:
        parts.append(ellipsoid(neck + _point(-0.2, 0, -0.3), (0.13, 0.15, 0.22), _cloth(rng)))
    return merge(parts).fitted(size)


def person_sitting(size: tuple[float, float, float], rng: np.random.Generator) -> Mesh:
    """A seated person with the hands in the lap, scaled to ``size`` (length, width, height)."""
    cloth, trousers = _cloth(rng), _cloth(rng)
    parts = _torso(_point(0.0, 0.0, 0.5), _point(0.02, 0.0, 1.05), 0.46, cloth)
    for side in (-1, 1):
        knee, foot = _point(0.42, side * 0.12, 0.5), _point(0.44, side * 0.12, 0.05)
        parts += _leg(_point(0.0, side * 0.1, 0.48), knee, foot, trousers)
        elbow = _point(0.02, side * 0.24, 0.68)
        parts += [tube((0.02, side * 0.2, 0.97), elbow, 0.05, cloth), tube(elbow, (0.3, side * 0.08, 0.6), 0.04, SKIN)]
    return merge(parts).fitted(size)


def cyclist(size: tuple[float, float, float], rng: np.random.Generator) -> Mesh:
    """A rider on a bicycle with two wheels and a frame, scaled to ``size`` (length, width, height)."""
    cloth, trousers = _cloth(rng), _cloth(rng)
    rear, front, radius = _point(-0.52, 0.0, 0.34), _point(0.52, 0.0, 0.34), 0.33
    saddle, bars, crank = _point(-0.2, 0.0, 0.93), _point(0.36, 0.0, 1.0), _point(-0.06, 0.0, 0.3)
    parts = [hoop(wheel, radius, 0.06, TYRE) for wheel in (rear, front)]
    ends = ((rear, crank), (rear, saddle), (saddle, crank), (crank, bars), (saddle, bars), (bars, front))
    parts += [tube(a, b, 0.025, STEEL) for a, b in ends]
    parts.append(tube(bars - _point(0, 0.29, 0), bars + _point(0, 0.29, 0), 0.02, STEEL))
    hip, neck = saddle + _point(0.0, 0.0, 0.06), _point(rng.uniform(-0.02, 0.2), 0.0, rng.uniform(1.4, 1.5))
    parts += _torso(hip, neck, 0.44, cloth)
    pedal = rng.uniform(0, np.pi)
    for side in (-1, 1):
        foot = crank + 0.17 * side * _point(np.cos(pedal), 0.0, np.sin(pedal)) + _point(0, side * 0.11, 0.02)
        start = hip + _point(0.0, side * 0.1, -0.04)
        knee = (start + foot) / 2 + _point(0.19, 0, 0.04)
        parts += _leg(start, knee, foot, trousers)
        shoulder, grip = neck + _point(0.0, side * 0.2, -0.1), bars + _point(0, side * 0.25, 0.03)
        elbow = (shoulder + grip) / 2 + _point(-0.03, side * 0.04, -0.08)
        parts += [tube(shoulder, elbow, 0.05, cloth), tube(elbow, grip, 0.04, cloth)]
    return merge(parts).fitted(size)
