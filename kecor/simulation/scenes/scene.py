"""Scenes as meshes, built from the objects, clutter and ground of a site; random scenes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kecor.simulation.objects import clutter
from kecor.simulation.objects.meshes import Mesh, merge
from kecor.simulation.objects.shapes import object_mesh
from kecor.simulation.scenes import surroundings, traffic
from kecor.simulation.scenes.ground import random_ground
from kecor.simulation.scenes.kinds import Kind, draw_kind
from kecor.simulation.scenes.site import Road, Site

REACH = (40.0, 72.0)
"""Smallest and largest length in metres of the visible road."""


@dataclass(frozen=True)
class Scene:
    """A scene that rays are cast at.

    Attributes:
        names: (M,) class of each object.
        boxes: (M, 7) LiDAR-frame boxes.
        meshes: the mesh of each object.
        mesh: the whole scene: the objects in their order, then clutter and ground.
        owner: (T,) index of the object that each triangle of ``mesh`` belongs to; -1 for clutter and ground.
    """

    names: np.ndarray
    boxes: np.ndarray
    meshes: list[Mesh]
    mesh: Mesh
    owner: np.ndarray


def finish(site: Site, cover: Callable[[np.ndarray], np.ndarray], rng: np.random.Generator, full_sweep: bool) -> Scene:
    """Build the scene of a site; ``cover`` maps (T, 2) positions on the ground to (T, 4) surfaces."""
    meshes = [object_mesh(name, box, rng) for name, box in zip(site.names, site.boxes)]
    rest = merge([*site.clutter, site.ground.mesh(cover, full_sweep)])
    owner = np.repeat(np.arange(len(meshes)), [len(m.triangles) for m in meshes])
    return Scene(
        names=np.array(site.names, dtype=str),
        boxes=np.array(site.boxes, np.float64).reshape(-1, 7),
        meshes=meshes,
        mesh=merge([*meshes, rest]),
        owner=np.concatenate([owner, np.full(len(rest.triangles), -1)]).astype(np.int64),
    )


def random_scene(rng: np.random.Generator, full_sweep: bool = False) -> Scene:
    """A scene of a random kind, ahead of the sensor or, with ``full_sweep``, all around it."""
    kind = draw_kind(rng)
    lane = min(kind.half_width / 2, traffic.LANE / 2)
    curvature = float(np.clip(rng.normal(scale=kind.bend), -0.01, 0.01))
    road = Road(rng.normal(scale=0.02), curvature, -lane + rng.normal(scale=0.2))
    site = Site(random_ground(rng))
    gap = None
    if rng.random() < kind.crossing:
        corner = rng.uniform(12, 40)
        gap = (corner - 4.5, corner + 4.5)
        traffic.cross(site, road, rng, corner)
    for span in spans(rng, full_sweep):
        _add_objects(site, road, kind, rng, span, gap)
        _add_clutter(site, road, kind, rng, span, gap)
    cover = surroundings.ground_cover(road, kind.half_width, paved=kind.built > 0.5)
    return finish(site, cover, rng, full_sweep)


def spans(rng: np.random.Generator, full_sweep: bool) -> list[traffic.Span]:
    """Start and end in metres of the visible road ahead and, for a full sweep, behind the sensor."""
    ahead = [(4.0, float(rng.uniform(*REACH)))]
    return [*ahead, (-float(rng.uniform(*REACH)), -4.0)] if full_sweep else ahead


def _add_objects(
    site: Site, road: Road, kind: Kind, rng: np.random.Generator, span: traffic.Span, gap: traffic.Span | None
) -> None:
    """Add the objects. Their mean numbers share a random factor, so some scenes are busier than others."""
    busy = rng.gamma(2.0, 0.5)
    if kind.rows:
        traffic.park_rows(site, road, kind, rng, span)
    if kind.parked:
        traffic.park(site, road, kind, rng, span, gap)
    traffic.drive(site, road, kind, rng, span, kind.vehicles * busy)
    traffic.ride(site, road, kind, rng, span, kind.riders * busy)
    traffic.walk(site, road, kind, rng, span, kind.walkers * busy)


def _add_clutter(
    site: Site, road: Road, kind: Kind, rng: np.random.Generator, span: traffic.Span, gap: traffic.Span | None
) -> None:
    """Add the unlabelled things: roadside buildings and plants, poles, street furniture and bulky things."""
    edge = kind.half_width
    setback = kind.setback * rng.uniform(0.5, 1.2)
    surroundings.line_road(site, road, rng, span, edge + setback, kind.built, gap)
    surroundings.close_view(site, road, rng, span, edge + setback, kind.built)
    if kind.rails:
        surroundings.add_guard_rails(site, road, rng, span, edge + 0.5)
    near = (edge + 0.4, edge + max(1.5, kind.setback - 0.3))
    for make, mean in ((clutter.pole, kind.things / 2), (clutter.furniture, kind.things / 2)):
        surroundings.scatter_along(site, road, rng, span, near, make, mean)
    verge = (edge + 1.0, edge + kind.setback + 2.0)
    for make in (clutter.tree, clutter.bush):
        surroundings.scatter_along(site, road, rng, span, verge, make, kind.plants / 2)
    surroundings.scatter_along(site, road, rng, span, (edge + 1.5, edge + kind.setback + 8.0), clutter.bulk, 0.35)
