"""The kinds of scene: common kinds resemble each other, rare kinds contain the frames that are worth labelling."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Kind:
    """The parameters of one kind of scene.

    Attributes:
        weight: relative frequency.
        half_width: metres from the centre line of the road to its edge.
        vehicles: mean number of moving vehicles.
        large: share of vans and trucks among vehicles.
        parked: share of occupied parking spaces along the kerbs.
        rows: rows of perpendicular parking spaces on each side of the road.
        walkers: mean number of pedestrians.
        riders: mean number of cyclists.
        roaming: pedestrians and cyclists move anywhere instead of along the road.
        built: share of houses and walls among the roadside buildings and plants.
        setback: metres from the edge of the road to the roadside buildings and plants.
        things: mean number of poles and pieces of street furniture on each side.
        plants: mean number of additional trees and bushes on each side.
        rails: whether there are crash barriers on both sides.
        crossing: probability of a side road with crossing traffic.
        bend: standard deviation of the curvature of the road in 1/m.
    """

    weight: float
    half_width: float
    vehicles: float = 0.0
    large: float = 0.12
    parked: float = 0.0
    rows: int = 0
    walkers: float = 0.0
    riders: float = 0.0
    roaming: bool = False
    built: float = 0.5
    setback: float = 3.0
    things: float = 3.0
    plants: float = 1.0
    rails: bool = False
    crossing: float = 0.0
    bend: float = 0.002


KINDS = {
    "residential": Kind(
        0.27, 5.0, 0.8, 0.08, 0.45, walkers=0.8, riders=0.4, built=0.7, setback=2.5, things=4, plants=2
    ),
    "highway": Kind(0.20, 8.5, 3.5, 0.3, built=0.03, setback=5.0, things=0.7, plants=1, rails=True, bend=0.0005),
    "country road": Kind(0.15, 3.8, 0.8, built=0.12, setback=5.0, things=0.8, plants=3, bend=0.004),
    "city street": Kind(
        0.16, 6.5, 3.5, 0.15, 0.2, walkers=2.5, riders=1.2, built=0.9, setback=3.5, things=5, crossing=0.5
    ),
    "cycle route": Kind(0.06, 5.0, 0.8, 0.1, 0.1, walkers=1.2, riders=4.0, built=0.4, setback=4.0, things=3, plants=3),
    "car park": Kind(0.06, 3.5, 0.8, 0.1, rows=2, walkers=1.5, riders=0.2, built=0.4, setback=13.0, things=3, bend=0.0),
    "crowded street": Kind(
        0.05, 6.0, 3.0, 0.15, 0.3, walkers=8.0, riders=2.5, built=0.95, setback=4.0, things=6, crossing=0.6
    ),
    "plaza": Kind(
        0.05, 3.0, 0.2, walkers=9.0, riders=2.5, roaming=True, built=0.8, setback=16.0, things=7, plants=2, bend=0.0
    ),
}


def draw_kind(rng: np.random.Generator) -> Kind:
    """Draw a kind of scene with probability proportional to its weight."""
    kinds = list(KINDS.values())
    weights = np.array([kind.weight for kind in kinds])
    return kinds[rng.choice(len(kinds), p=weights / weights.sum())]
