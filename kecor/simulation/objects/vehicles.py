"""Meshes of motor vehicles: x forward, origin at the centre of the box they fill."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kecor.simulation.objects.meshes import Mesh, Surface, block, merge, prism, profile, tube

GLASS = Surface(0.12, loss=0.72, gloss=0.9)
RUBBER = Surface(0.08, loss=0.1)
PLATE = Surface(0.95)
METAL = Surface(0.4, loss=0.05)

CAR_STYLES = (
    (0.70, 0.53, 0.12, 0.03, 0.62, 0.64),  # hatchback
    (0.72, 0.55, 0.30, 0.14, 0.61, 0.66),  # saloon
    (0.71, 0.55, 0.05, 0.01, 0.61, 0.63),  # estate
    (0.74, 0.58, 0.08, 0.02, 0.64, 0.66),  # off-roader
    (0.82, 0.62, 0.06, 0.01, 0.58, 0.62),  # people carrier
)
"""Side views of cars. As shares of the length, from 0 at the rear to 1 at the front: bottom and top of the windscreen,
top and bottom of the rear window. As shares of the height: bonnet and boot."""


def _paint(rng: np.random.Generator) -> Surface:
    """Car paint, from light to black; dark paint loses more rays."""
    reflectivity = rng.choice([0.55, 0.42, 0.3, 0.12], p=[0.3, 0.3, 0.2, 0.2]) * rng.uniform(0.8, 1.2)
    return Surface(reflectivity, loss=float(np.clip(0.18 - 0.3 * reflectivity, 0.02, 0.2)), gloss=0.8)


def _wheels(length: float, width: float, radius: float, axles: tuple[float, ...]) -> list[Mesh]:
    """Wheels on z = 0, flush with the sides; ``axles`` are shares of the length from the rear."""
    parts = []
    for axle in axles:
        for side in (-1, 1):
            hub = np.array([(axle - 0.5) * length, side * (width / 2 - 0.01), radius])
            parts.append(tube(hub, hub - [0, side * 0.2, 0], radius, RUBBER))
    return parts


def _plates(length: float, height: float) -> list[Mesh]:
    """Number plates at the front and rear."""
    return [block(((side * length / 2) * 0.99, 0, height), (0.04, 0.5, 0.11), PLATE) for side in (-1, 1)]


def car(size: tuple[float, float, float], rng: np.random.Generator) -> Mesh:
    """A passenger car of ``size`` (length, width, height): body, glass cabin, roof, wheels and number plates."""
    length, width, height = size
    shares = np.array(CAR_STYLES[rng.integers(len(CAR_STYLES))]) + rng.normal(scale=0.012, size=6)
    screen_foot, screen_head, rear_head, rear_foot, bonnet, boot = shares

    def x(share: float) -> float:
        return (share - 0.5) * length

    paint = _paint(rng)
    sill, belt = 0.13 * height, max(bonnet, boot) * height
    body = [
        (x(0.02), sill),
        (x(0.98), sill),
        (x(1.0), 0.28 * height),
        (x(0.985), 0.47 * height),
        (x(0.93), bonnet * height - 0.05),
        (x(screen_foot), bonnet * height),
        (x(rear_foot), boot * height),
        (x(0.0), 0.52 * height),
        (x(0.0), 0.3 * height),
    ]
    eaves, sash = height - 0.05, belt - 0.04
    cabin = [(x(rear_foot), sash), (x(screen_foot), sash), (x(screen_head), eaves), (x(rear_head), eaves)]
    foot = height - 0.07
    roof = [
        (x(rear_head) - 0.02, foot),
        (x(screen_head) + 0.02, foot),
        (x(screen_head) - 0.12, height),
        (x(rear_head) + 0.1, height),
    ]
    parts = [
        profile(body, width, width * 0.94, paint),
        profile(cabin, width * 0.92, width * 0.72, GLASS),
        profile(roof, width * 0.73, width * 0.66, paint),
        *_wheels(length, width * 0.97, 0.21 * height, (0.18, 0.82)),
        *_plates(length, 0.36 * height),
        *_pillars(x, shares, belt, foot, width, paint),
    ]
    return merge(parts).fitted(size)


def _pillars(
    x: Callable[[float], float], shares: np.ndarray, belt: float, top: float, width: float, paint: Surface
) -> list[Mesh]:
    """The pillars between the windows, which return rays where glass does not; ``x`` maps a share of the length."""
    screen_foot, screen_head, rear_head, rear_foot = shares[:4]
    middle = (screen_head + rear_head) / 2
    pairs = ((screen_foot, screen_head), (middle, middle), (rear_foot, rear_head))
    return [
        tube((x(low), side * width * 0.455, belt - 0.03), (x(high), side * width * 0.365, top), 0.045, paint)
        for low, high in pairs
        for side in (-1, 1)
    ]


def van(size: tuple[float, float, float], rng: np.random.Generator) -> Mesh:
    """A delivery van or minibus: a tall body with a short sloping nose, a windscreen and side windows."""
    length, width, height = size
    paint = _paint(rng)
    nose, belt = rng.uniform(0.1, 0.2) * length, rng.uniform(0.46, 0.54) * height
    front, rear, sill = length / 2, -length / 2, 0.12 * height
    head = front - nose - 0.1 * length
    body = [
        (rear, sill),
        (front - 0.02, sill),
        (front, 0.3 * height),
        (front - 0.05, belt - 0.1),
        (front - nose, belt),
        (head, height),
        (rear + 0.05, height),
    ]
    foot = [[front - nose + 0.02, side * width * 0.44, belt + 0.02] for side in (-1, 1)]
    pane = np.array([*foot, [head + 0.03, 0.0, height - 0.08]])
    size_of_window = (0.2 * length, 0.03, 0.26 * height)
    windows = [
        block((head - (0.14 + 0.27 * k) * length, side * width * 0.475, 0.7 * height), size_of_window, GLASS)
        for k in range(int(rng.integers(1, 4)))
        for side in (-1, 1)
    ]
    wheels = _wheels(length, width * 0.98, 0.16 * height, (0.2, 0.8))
    parts = [profile(body, width, width * 0.92, paint), prism(pane, pane + np.array([0.03, 0, 0]), GLASS)]
    return merge([*parts, *windows, *wheels, *_plates(length, 0.25 * height)]).fitted(size)


def truck(size: tuple[float, float, float], rng: np.random.Generator) -> Mesh:
    """A lorry: cab, cargo box on a frame, three axles."""
    length, width, height = size
    cab = float(np.clip(rng.uniform(1.7, 2.3), 0.2 * length, 0.4 * length))
    cab_height = height * rng.uniform(0.72, 0.92)
    paint, cargo = _paint(rng), Surface(rng.uniform(0.25, 0.6), loss=0.03)
    front = length / 2
    shell = [
        (front - cab, 0.16 * height),
        (front, 0.16 * height),
        (front, 0.5 * cab_height),
        (front - 0.15 * cab, cab_height),
        (front - cab, cab_height),
    ]
    bed = length - cab - 0.03 * length
    parts = [
        profile(shell, width, width * 0.92, paint),
        block((front + 0.005, 0, 0.62 * cab_height), (0.02, 0.8 * width, 0.22 * cab_height), GLASS),
        block((-length / 2 + bed / 2, 0, 0.655 * height), (bed, width, 0.69 * height), cargo),
        block((-0.02 * length, 0, 0.24 * height), (0.9 * length, 0.4 * width, 0.14 * height), METAL),
        *_wheels(length, width * 0.98, 0.14 * height, (0.1, 0.25, 0.85)),
    ]
    return merge(parts).fitted(size)


def tram(size: tuple[float, float, float], rng: np.random.Generator) -> Mesh:
    """A tram or bus: a long body with rounded ends and a row of windows on each side."""
    length, width, height = size
    paint = _paint(rng)
    end, foot = length / 2, 0.06 * height
    body = [
        (-end + 0.1, foot),
        (end - 0.1, foot),
        (end, 0.4 * height),
        (end - 0.3, height),
        (-end + 0.3, height),
        (-end, 0.4 * height),
    ]
    count = max(1, int(length / 1.6))
    middles = (np.arange(count) + 0.5) / count * (length - 1.2) - (length - 1.2) / 2
    panes = [
        block((m, s * width * 0.482, 0.62 * height), (1.1, 0.04, 0.3 * height), GLASS) for m in middles for s in (-1, 1)
    ]
    skirt = block((0, 0, 0.05 * height), (0.9 * length, 0.9 * width, 0.1 * height), METAL)
    return merge([profile(body, width, width * 0.95, paint), *panes, skirt]).fitted(size)


def trailer(size: tuple[float, float, float], rng: np.random.Generator) -> Mesh:
    """A trailer with a drawbar, for KITTI's class Misc."""
    length, width, height = size
    cover = Surface(rng.uniform(0.2, 0.5), loss=0.03)
    bar = 0.18 * length
    parts = [
        block((-bar / 2, 0, 0.6 * height), (length - bar, width, 0.8 * height), cover),
        tube((length / 2 - bar, 0, 0.25 * height), (length / 2, 0, 0.25 * height), 0.05, METAL),
        *_wheels(length, width * 0.98, 0.15 * height, (0.38,)),
    ]
    return merge(parts).fitted(size)
