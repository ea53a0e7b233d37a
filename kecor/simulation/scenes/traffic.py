"""Placement of the labelled objects of a random scene: in lanes, at kerbs, in car parks and on pavements."""

from __future__ import annotations

import numpy as np

from kecor.simulation.objects.shapes import random_size
from kecor.simulation.scenes.kinds import Kind
from kecor.simulation.scenes.site import Road, Site

LANE = 3.4
"""Width of a lane in metres."""
PAVEMENT = (0.7, 2.6)
"""Start and end of the pavement in metres from the edge of the road."""
Span = tuple[float, float]
"""Start and end in metres along the road."""


def _vehicle(kind: Kind, rng: np.random.Generator) -> str:
    """A random class of vehicle."""
    if rng.random() >= kind.large:
        return "Car"
    return "Van" if rng.random() < 0.7 else "Truck"


def drive(site: Site, road: Road, kind: Kind, rng: np.random.Generator, span: Span, mean: float) -> None:
    """Place about ``mean`` moving vehicles in the lanes; traffic drives on the right."""
    kerbside = 2.2 if kind.parked > 0 else 0.0
    lanes = max(1, int((kind.half_width - kerbside) / LANE))
    for _ in range(rng.poisson(mean)):
        name = _vehicle(kind, rng)
        oncoming = rng.random() < 0.45
        lane = (rng.integers(lanes) + 0.5) * LANE * (1 if oncoming else -1)
        x, y, heading = road.place(rng.uniform(*span), lane + rng.normal(scale=0.25))
        heading += rng.normal(scale=0.03) + (np.pi if oncoming else 0.0)
        site.add_object(name, x, y, heading, random_size(name, rng), gap=1.0)


def park(site: Site, road: Road, kind: Kind, rng: np.random.Generator, span: Span, gap: Span | None) -> None:
    """Park vehicles along both kerbs; most face the driving direction of their side. None in ``gap``."""
    for side in (-1, 1):
        share = np.clip(kind.parked * rng.gamma(2.0, 0.5), 0, 0.9)
        for along in np.arange(span[0] + rng.uniform(0, 6), span[1], 6.2):
            in_gap = gap is not None and gap[0] - 3 < along < gap[1] + 3
            if not in_gap and rng.random() < share:
                name = "Van" if rng.random() < kind.large else "Car"
                x, y, heading = road.place(along + rng.normal(scale=0.3), side * (kind.half_width - 1.1))
                oncoming = (side > 0) != (rng.random() < 0.15)
                heading += rng.normal(scale=0.03) + (np.pi if oncoming else 0.0)
                site.add_object(name, x, y, heading, random_size(name, rng), gap=0.3)


def park_rows(site: Site, road: Road, kind: Kind, rng: np.random.Generator, span: Span) -> None:
    """Park cars in rows perpendicular to the road, beside it."""
    for side in (-1, 1):
        for row in range(kind.rows):
            share = rng.uniform(0.05, 0.28)
            left = side * (kind.half_width + 2.7 + 5.2 * row)
            for along in np.arange(span[0], min(span[1], 45.0), 2.7):
                if rng.random() < share:
                    x, y, heading = road.place(along, left + rng.normal(scale=0.2))
                    heading += (1 if rng.random() < 0.5 else -1) * np.pi / 2 + rng.normal(scale=0.04)
                    site.add_object("Car", x, y, heading, random_size("Car", rng), gap=0.15)


def cross(site: Site, road: Road, rng: np.random.Generator, along: float) -> None:
    """Place vehicles on a side road that crosses at ``along`` metres."""
    for _ in range(rng.integers(0, 4)):
        direction = rng.choice([-1, 1])
        x, y, heading = road.place(along + direction * LANE / 2, rng.uniform(-22, 22))
        site.add_object(
            "Car", x, y, heading + direction * np.pi / 2 + rng.normal(scale=0.1), random_size("Car", rng), gap=0.8
        )


def walk(site: Site, road: Road, kind: Kind, rng: np.random.Generator, span: Span, mean: float) -> None:
    """Place about ``mean`` pedestrians, alone or in groups of up to four, mostly near the sensor.

    They walk on the pavement and one group in ten crosses the road; in a roaming kind they walk anywhere.
    """
    left_to_place = rng.poisson(mean)
    while left_to_place > 0:
        group = min(left_to_place, int(rng.choice([1, 1, 1, 2, 2, 3, 4])))
        left_to_place -= group
        along = span[0] + (span[1] - span[0]) * rng.beta(1.2, 2.5)
        side, crossing = rng.choice([-1, 1]), rng.random() < 0.1
        if kind.roaming:
            left, direction = rng.uniform(-0.8, 0.8) * max(along, 6.0), rng.uniform(-np.pi, np.pi)
        elif crossing:
            left, direction = rng.uniform(-1, 1) * kind.half_width, rng.choice([-1, 1]) * np.pi / 2
        else:
            left, direction = side * (kind.half_width + rng.uniform(*PAVEMENT)), np.pi * rng.integers(2)
        for _ in range(group):
            x, y, heading = road.place(along + rng.normal(scale=0.8), left + rng.normal(scale=0.5))
            size = random_size("Pedestrian", rng)
            site.add_object("Pedestrian", x, y, heading + direction + rng.normal(scale=0.25), size, gap=0.1)


def ride(site: Site, road: Road, kind: Kind, rng: np.random.Generator, span: Span, mean: float) -> None:
    """Place about ``mean`` cyclists at the edge of the lanes, some on the pavement; anywhere in a roaming kind."""
    for _ in range(rng.poisson(mean)):
        along = span[0] + (span[1] - span[0]) * rng.beta(1.3, 2.2)
        side = rng.choice([-1, 1])
        kerb = kind.half_width - (3.0 if kind.parked > 0 else 0.8)
        left, direction = side * (kerb + rng.normal(scale=0.4)), np.pi * (side > 0)
        if kind.roaming:
            left, direction = rng.uniform(-0.7, 0.7) * max(along, 6.0), rng.uniform(-np.pi, np.pi)
        elif rng.random() < 0.25:
            left = side * (kind.half_width + rng.uniform(*PAVEMENT))
        x, y, heading = road.place(along, left)
        site.add_object(
            "Cyclist", x, y, heading + direction + rng.normal(scale=0.1), random_size("Cyclist", rng), gap=0.3
        )
