"""Meshes of unlabelled things: buildings, walls, plants, poles and street furniture. Each stands on z = 0."""

from __future__ import annotations

import numpy as np

from kecor.simulation.objects.meshes import Mesh, Surface, block, ellipsoid, merge, prism, scatter, tube
from kecor.simulation.objects.vehicles import GLASS

LEAVES = Surface(0.38, loss=0.08, depth=0.12)
BARK = Surface(0.2, loss=0.05)
STEEL = Surface(0.3, loss=0.05)
SIGN = Surface(0.9)
BELOW = -0.6
"""z of the foot of a mesh in metres: below the ground, so that nothing floats on a slope."""


def _masonry(rng: np.random.Generator) -> Surface:
    return Surface(rng.uniform(0.2, 0.45), loss=0.04)


def _upright(center: tuple[float, float], size: tuple[float, float, float], surface: Surface) -> Mesh:
    """A box of ``size`` on the ground, extended below it."""
    height = size[2] - BELOW
    return block((*center, BELOW + height / 2), (size[0], size[1], height), surface)


def building(rng: np.random.Generator, length: float) -> Mesh:
    """A house along x: walls, a row of windows per floor, and sometimes bays or a porch."""
    depth, height = rng.uniform(7, 14), rng.uniform(3.5, 14)
    wall = _masonry(rng)
    parts = [_upright((0, 0), (length, depth, height), wall)]
    for floor in np.arange(1.5, height - 1, 3.0):
        for x in np.arange(-length / 2 + 1.5, length / 2 - 1, rng.uniform(2.2, 4)):
            parts.append(block((x, 0, floor), (1.1, depth + 0.06, 1.3), GLASS))
    for _ in range(rng.integers(0, 3)):
        bay, x = rng.uniform(1.0, 3.0), rng.uniform(-0.4, 0.4) * length
        parts.append(_upright((x, 0), (bay, depth + rng.uniform(0.6, 1.8), rng.uniform(2.2, height)), wall))
    return merge(parts)


def wall(rng: np.random.Generator, length: float) -> Mesh:
    """A garden wall, a board fence with gaps or a hedge, along x."""
    height = rng.uniform(0.8, 2.2)
    kind = rng.random()
    if kind < 0.35:
        return _upright((0, 0), (length, 0.25, height), _masonry(rng))
    if kind < 0.6:
        boards = np.arange(-length / 2, length / 2, 0.4)
        return merge([_upright((x, 0), (0.25, 0.04, height), BARK) for x in boards])
    return _upright((0, 0), (length, rng.uniform(0.6, 1.1), height), LEAVES)


def guard_rail(rng: np.random.Generator, length: float) -> Mesh:
    """A crash barrier along x: a rail on posts."""
    beam = block((0, 0, 0.6), (length, 0.08, 0.31), Surface(rng.uniform(0.3, 0.5), loss=0.05))
    posts = [_upright((x, 0), (0.1, 0.1, 0.7), STEEL) for x in np.arange(-length / 2 + 1, length / 2, 4.0)]
    return merge([beam, *posts])


def tree(rng: np.random.Generator) -> Mesh:
    """A tree with a trunk and a crown of leaves, or a conifer with branches down to the ground."""
    height = rng.uniform(4, 11)
    if rng.random() < 0.2:
        crown = scatter(rng, (0, 0, height / 2), (1.3, 1.3, height / 2), 160, 0.5, LEAVES)
        return merge([tube((0, 0, BELOW), (0, 0, height * 0.8), 0.15, BARK), crown])
    radius, foot = rng.uniform(1.2, 2.8), rng.uniform(1.6, 3.0)
    crown = scatter(rng, (0, 0, (foot + height) / 2), (radius, radius, (height - foot) / 2), 200, 0.6, LEAVES)
    return merge([tube((0, 0, BELOW), (0, 0, foot + 1), rng.uniform(0.1, 0.3), BARK), crown])


def thicket(rng: np.random.Generator, length: float) -> Mesh:
    """A dense row of trees and undergrowth along x."""
    height, depth = rng.uniform(4, 12), rng.uniform(2, 5)
    size = (length, depth, height)
    middle = rng.uniform(-0.5, 0.5, (int(25 * length), 3)) * size + [0, 0, height / 2]
    corners = middle[:, None] + rng.normal(scale=0.65, size=(len(middle), 3, 3))
    return Mesh.of(corners.reshape(-1, 3), np.arange(3 * len(middle)), LEAVES)


def bush(rng: np.random.Generator) -> Mesh:
    """A bush 0.6 to 2.2 m high; a narrow one is easily mistaken for a person."""
    radius, height = rng.uniform(0.3, 1.5), rng.uniform(0.6, 2.2)
    count = int(40 + 60 * radius)
    return scatter(rng, (0, 0, height / 2), (radius, radius * rng.uniform(0.6, 1.2), height / 2), count, 0.3, LEAVES)


def pole(rng: np.random.Generator) -> Mesh:
    """A lamp post, a traffic sign or a traffic light."""
    kind = rng.random()
    if kind < 0.45:
        return tube((0, 0, BELOW), (0, 0, rng.uniform(4, 9)), rng.uniform(0.07, 0.14), STEEL)
    height = rng.uniform(2.2, 3.2)
    post = tube((0, 0, BELOW), (0, 0, height), 0.05, STEEL)
    if kind < 0.8:
        return merge([post, block((-0.06, 0, height - 0.3), (0.03, 0.6, 0.6), SIGN)])
    return merge([post, block((-0.1, 0, height - 0.4), (0.25, 0.3, 0.9), STEEL)])


def furniture(rng: np.random.Generator) -> Mesh:
    """Street furniture of the size of a person or a bicycle: bin, bollard, cabinet, bench, column or parasol."""
    kind = rng.integers(6)
    cover = Surface(rng.uniform(0.1, 0.5), loss=0.03)
    if kind == 0:
        return _upright((0, 0), (rng.uniform(0.5, 0.8), rng.uniform(0.5, 0.7), rng.uniform(0.9, 1.3)), cover)
    if kind == 1:
        return tube((0, 0, BELOW), (0, 0, rng.uniform(0.7, 1.2)), rng.uniform(0.06, 0.15), cover)
    if kind == 2:
        return _upright((0, 0), (rng.uniform(0.7, 1.4), 0.4, rng.uniform(1.0, 1.7)), cover)
    if kind == 3:
        seat, back = block((0, 0, 0.45), (1.8, 0.45, 0.06), BARK), block((0, 0.22, 0.7), (1.8, 0.05, 0.4), BARK)
        return merge([seat, back, *[_upright((x, 0), (0.08, 0.4, 0.42), STEEL) for x in (-0.8, 0.8)]])
    if kind == 4:
        return tube((0, 0, BELOW), (0, 0, rng.uniform(1.6, 2.8)), rng.uniform(0.35, 0.6), cover)
    parasol = ellipsoid((0, 0, rng.uniform(1.5, 2.1)), (0.35, 0.35, 0.3), cover)
    return merge([tube((0, 0, BELOW), (0, 0, 1.7), 0.06, STEEL), parasol])


def bulk(rng: np.random.Generator) -> Mesh:
    """Bulky things of about the size of a car: containers, skips, bottle banks."""
    cover = Surface(rng.uniform(0.12, 0.5), loss=0.05)
    length, width, height = rng.uniform(1.4, 4.6), rng.uniform(1.1, 2.0), rng.uniform(1.0, 2.0)
    if rng.random() < 0.5:
        return _upright((0, 0), (length, width, height), cover)
    corner = np.array([[0.5, 0.5, 0.0], [-0.5, 0.5, 0.0], [-0.5, -0.5, 0.0], [0.5, -0.5, 0.0]])
    foot = corner * [0.6 * length, width, 0] + [0, 0, BELOW]
    return prism(foot, corner * [length, width, 0] + [0, 0, height], cover)
