"""Placement of unlabelled things beside a road."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kecor.simulation.objects import clutter
from kecor.simulation.objects.meshes import Mesh
from kecor.simulation.scenes.ground import ASPHALT, GRASS, PAVING
from kecor.simulation.scenes.site import Road, Site

Span = tuple[float, float]
"""Start and end in metres, along the road or across it."""


def ground_cover(road: Road, half_width: float, paved: bool) -> Callable[[np.ndarray], np.ndarray]:
    """A function from (T, 2) positions to (T, 4) surfaces: asphalt on the road, paving or grass beside it."""

    def surface_at(xy: np.ndarray) -> np.ndarray:
        beside = PAVING if paved else GRASS
        on_road = np.abs(road.left_of_centre(xy)) < half_width
        return np.where(on_road[:, None], np.array(ASPHALT), np.array(beside))

    return surface_at


def line_road(
    site: Site, road: Road, rng: np.random.Generator, span: Span, distance: float, built: float, gap: Span | None = None
) -> None:
    """Place a row of houses, walls, trees and bushes along both sides, ``distance`` metres from the centre line.

    ``built`` is the share of houses and walls. Nothing is placed in ``gap``, where a side road branches off.
    """
    for side in (-1, 1):
        along = span[0]
        while along < span[1]:
            length = rng.uniform(7, 20)
            if gap is None or along + length < gap[0] or along > gap[1]:
                _plot(site, road, rng, along + length / 2, length, side * (distance + rng.uniform(0, 2)), built)
            along += length + rng.exponential(1.5)


def _plot(
    site: Site, road: Road, rng: np.random.Generator, along: float, length: float, left: float, built: float
) -> None:
    """Fill one plot with a house, a wall or plants."""
    u = rng.random()
    if u < built:
        mesh = clutter.building(rng, length)
    elif u < built + 0.3 * (1 - built):
        mesh = clutter.wall(rng, length)
    elif u < built + 0.7 * (1 - built):
        mesh = clutter.thicket(rng, length)
    else:
        for _ in range(rng.integers(1, 5)):
            make = clutter.tree if rng.random() < 0.5 else clutter.bush
            position = road.place(along + rng.uniform(-0.5, 0.5) * length, left + np.sign(left) * rng.uniform(0, 5))
            site.add_clutter(make(rng), *position)
        return
    half_depth = np.ptp(mesh.vertices[:, 1]) / 2
    x, y, heading = road.place(along, left + np.sign(left) * half_depth)
    site.add_clutter(mesh, x, y, heading)


def close_view(site: Site, road: Road, rng: np.random.Generator, span: Span, distance: float, built: float) -> None:
    """Place houses and woods behind the first row and across the far end: few real views are open to 80 m."""
    for _ in range(rng.poisson(28)):
        side = rng.choice([-1, 1])
        x, y, heading = road.place(rng.uniform(*span), side * (distance + rng.uniform(3, 25)))
        _add_backdrop(site, rng, x, y, heading + rng.normal(scale=0.3), built)
    for left in np.arange(-24.0, 24.1, 8.0):
        far = span[1] if span[1] > 0 else span[0]
        x, y, heading = road.place(far + np.sign(far) * rng.uniform(2, 9), left + rng.normal(scale=3))
        if rng.random() < 0.8:
            _add_backdrop(site, rng, x, y, heading + np.pi / 2, built)


def _add_backdrop(site: Site, rng: np.random.Generator, x: float, y: float, heading: float, built: float) -> None:
    """Place a house or a wood, 7 to 20 m long."""
    make = clutter.building if rng.random() < built else clutter.thicket
    site.add_clutter(make(rng, rng.uniform(7, 20)), x, y, heading)


def scatter_along(
    site: Site, road: Road, rng: np.random.Generator, span: Span, band: Span, make: Callable[..., Mesh], mean: float
) -> None:
    """Place about ``mean`` things on each side, between ``band[0]`` and ``band[1]`` metres from the centre line."""
    for side in (-1, 1):
        for _ in range(rng.poisson(mean)):
            x, y, heading = road.place(rng.uniform(*span), side * rng.uniform(*band))
            site.add_clutter(make(rng), x, y, heading + rng.normal(scale=0.3))


def add_guard_rails(site: Site, road: Road, rng: np.random.Generator, span: Span, distance: float) -> None:
    """Place crash barriers along both sides."""
    for side in (-1, 1):
        for along in np.arange(span[0], span[1], 12.0):
            site.add_clutter(clutter.guard_rail(rng, 12.0), *road.place(along + 6, side * distance), gap=0.0)
