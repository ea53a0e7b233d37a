"""Triangle meshes with surface properties, and the primitives that simulated objects are built of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

Vector = Sequence[float] | np.ndarray
"""Three numbers: a point in metres, or lengths along x, y and z."""


class Surface(NamedTuple):
    """Optical properties of a material.

    Attributes:
        reflectivity: share of the light reflected at perpendicular incidence, in [0, 1].
        loss: share of rays without a return, in addition to losses by distance and incidence.
        depth: standard deviation in metres of how far rays penetrate the surface (leaves, grass).
        gloss: share of the light that is reflected like a mirror, i.e. returns only near perpendicular incidence.
    """

    reflectivity: float
    loss: float = 0.0
    depth: float = 0.0
    gloss: float = 0.0


@dataclass(frozen=True)
class Mesh:
    """A triangle mesh in metres.

    Attributes:
        vertices: (V, 3) float64.
        triangles: (T, 3) int64 rows of ``vertices``.
        surface: (T, 4) float64 :class:`Surface` of each triangle.
    """

    vertices: np.ndarray
    triangles: np.ndarray
    surface: np.ndarray

    @classmethod
    def of(cls, vertices: np.ndarray, triangles: np.ndarray, surface: Surface) -> Mesh:
        """A mesh of one material."""
        triangles = np.asarray(triangles, np.int64).reshape(-1, 3)
        return cls(
            np.asarray(vertices, np.float64), triangles, np.tile(np.array(surface, np.float64), (len(triangles), 1))
        )

    def scaled(self, factors: Vector) -> Mesh:
        """The mesh with its axes scaled by ``factors``."""
        return Mesh(self.vertices * np.asarray(factors), self.triangles, self.surface)

    def placed(self, x: float, y: float, z: float, heading: float = 0.0) -> Mesh:
        """The mesh rotated about +z by ``heading`` radians, then translated."""
        c, s = np.cos(heading), np.sin(heading)
        rotation = np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])
        return Mesh(self.vertices @ rotation + [x, y, z], self.triangles, self.surface)

    def fitted(self, size: Vector) -> Mesh:
        """The mesh translated and scaled to fill a box of ``size`` (length, width, height) centred at the origin."""
        low, high = self.vertices.min(0), self.vertices.max(0)
        unit = (self.vertices - (low + high) / 2) / (high - low)
        return Mesh(unit * np.asarray(size), self.triangles, self.surface)


_COS, _SIN = np.cos(np.arange(6) * np.pi / 3), np.sin(np.arange(6) * np.pi / 3)


def merge(meshes: Sequence[Mesh]) -> Mesh:
    """Concatenates meshes into one, in their order."""
    starts = np.cumsum([0] + [len(m.vertices) for m in meshes])
    return Mesh(
        np.concatenate([m.vertices for m in meshes]),
        np.concatenate([m.triangles + start for m, start in zip(meshes, starts)]),
        np.concatenate([m.surface for m in meshes]),
    )


def prism(lower: np.ndarray, upper: np.ndarray, surface: Surface) -> Mesh:
    """The solid between two convex polygons with K corresponding corners, (K, 3) each."""
    count = len(lower)
    i = np.arange(count)
    j = (i + 1) % count
    sides = np.concatenate([np.stack([i, j, j + count], 1), np.stack([i, j + count, i + count], 1)])
    fan = np.stack([np.zeros(count - 2, np.int64), i[1:-1], i[2:]], 1)
    return Mesh.of(np.concatenate([lower, upper]), np.concatenate([sides, fan[:, ::-1], fan + count]), surface)


def block(center: Vector, size: Vector, surface: Surface) -> Mesh:
    """An axis-parallel box."""
    square = np.array([[1, 1, -1], [-1, 1, -1], [-1, -1, -1], [1, -1, -1]]) * np.asarray(size) / 2
    return prism(square + center, square * [1, 1, -1] + center, surface)


def profile(outline: Sequence[tuple[float, float]], width: float, top_width: float, surface: Surface) -> Mesh:
    """A convex (x, z) outline extruded along y; its width changes from ``width`` at the bottom to ``top_width``."""
    x, z = np.asarray(outline, np.float64).T
    share = (z - z.min()) / (z.max() - z.min())
    half = (width + (top_width - width) * share) / 2
    right = np.column_stack([x, -half, z])
    return prism(right, right * [1, -1, 1], surface)


def tube(start: Vector, end: Vector, radius: float, surface: Surface, end_radius: float = 0) -> Mesh:
    """A six-sided tube between two points; ``end_radius`` 0 means the same radius at both ends."""
    first, last = np.asarray(start, np.float64), np.asarray(end, np.float64)
    x, y, z = (last - first) / np.linalg.norm(last - first)
    across = np.array([y, -x, 0.0]) if abs(z) < 0.9 else np.array([0.0, z, -y])
    across /= np.linalg.norm(across)
    a, b, c = across
    ring = np.outer(_COS, across) + np.outer(_SIN, [y * c - z * b, z * a - x * c, x * b - y * a])
    return prism(first + radius * ring, last + (end_radius or radius) * ring, surface)


def ellipsoid(center: Vector, radii: Vector, surface: Surface, rows: int = 5, sides: int = 8) -> Mesh:
    """An ellipsoid of ``rows`` rings with ``sides`` corners each."""
    polar = np.linspace(0.15, np.pi - 0.15, rows)
    angle = np.arange(sides) * 2 * np.pi / sides
    x = np.sin(polar)[:, None] * np.cos(angle)
    y = np.sin(polar)[:, None] * np.sin(angle)
    z = np.repeat(np.cos(polar)[:, None], sides, 1)
    here = np.arange(rows - 1)[:, None] * sides + np.arange(sides)
    right = np.arange(rows - 1)[:, None] * sides + (np.arange(sides) + 1) % sides
    triangles = np.concatenate(
        [np.stack([here, right, right + sides], -1), np.stack([here, right + sides, here + sides], -1)]
    )
    return Mesh.of(np.stack([x, y, z], -1).reshape(-1, 3) * radii + center, triangles, surface)


def hoop(center: Vector, radius: float, thickness: float, surface: Surface, sides: int = 12) -> Mesh:
    """A wheel in the x-z plane: a ring of ``sides`` tubes."""
    angle = np.arange(sides + 1) * 2 * np.pi / sides
    points = np.column_stack([np.cos(angle) * radius, np.zeros(sides + 1), np.sin(angle) * radius]) + center
    return merge([tube(a, b, thickness / 2, surface) for a, b in pairwise(points)])


def scatter(rng: np.random.Generator, center: Vector, radii: Vector, count: int, size: float, surface: Surface) -> Mesh:
    """``count`` random triangles of about ``size`` metres in an ellipsoid: leaves and twigs."""
    direction = rng.normal(size=(count, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    middle = direction * rng.uniform(0.3, 1, (count, 1)) ** (1 / 3) * radii + center
    corners = middle[:, None] + rng.normal(scale=size / 2, size=(count, 3, 3))
    return Mesh.of(corners.reshape(-1, 3), np.arange(3 * count), surface)
