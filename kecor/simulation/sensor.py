"""The simulated LiDAR: directions of its beams, probability of a return, range noise and intensity.

The beam table was measured on KITTI sweeps. In each of the 64 rings, z is a linear function of the horizontal distance
to within 2 mm; its slope is the beam's elevation and its intercept the height of the laser above the sensor's origin.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MOUNT_HEIGHT = 1.73
"""Height of the sensor's origin above the road in metres (Geiger et al., IJRR 2013, figure 1)."""
MAX_RANGE = 80.0
"""Metres."""
COLUMNS = 2160
"""Shots per beam and turn: six per degree, as counted near the sensor in KITTI sweeps."""
RANGE_NOISE = 0.02
"""Standard deviation of the range in metres."""
ECHO_THRESHOLD = 0.045
"""Echo strength at which half of the hits give a return; see :func:`return_probability`."""
SECTOR = np.deg2rad(44.0)
"""Half the azimuth of the default sector, which contains the view of KITTI's camera."""


def beam_table() -> tuple[np.ndarray, np.ndarray]:
    """Elevation (64,) in radians and height (64,) in metres above the sensor's origin of each laser, top to bottom.

    The upper 32 lasers are 0.34 degrees apart; the lower 32 are 0.52 degrees apart and mounted 7 cm lower.
    """
    elevation = np.concatenate([np.linspace(1.94, -8.71, 32), np.linspace(-9.03, -25.0, 32)])
    height = np.concatenate([np.linspace(0.209, 0.198, 32), np.linspace(0.126, 0.116, 32)])
    return np.deg2rad(elevation), height


def rays(full_sweep: bool = False, turn: float = 0.0) -> np.ndarray:
    """(R, 6) float32 origins and unit directions in the LiDAR frame, ring by ring from the top.

    Args:
        full_sweep: all 360 degrees; otherwise only the sector that contains the camera's view.
        turn: azimuth of the first shot in radians, which varies between turns.
    """
    azimuth = (turn + np.arange(COLUMNS) * 2 * np.pi / COLUMNS + np.pi) % (2 * np.pi) - np.pi
    azimuth = np.sort(azimuth if full_sweep else azimuth[np.abs(azimuth) <= SECTOR])[::-1]
    elevation, height = beam_table()
    result = np.zeros((len(elevation), len(azimuth), 6), np.float32)
    result[..., 2] = height[:, None]
    result[..., 3] = np.cos(elevation)[:, None] * np.cos(azimuth)
    result[..., 4] = np.cos(elevation)[:, None] * np.sin(azimuth)
    result[..., 5] = np.sin(elevation)[:, None]
    return result.reshape(-1, 6)


@dataclass(frozen=True)
class Hits:
    """The hits of H rays.

    Attributes:
        ray: (H,) row of the ray.
        distance: (H,) metres along the ray.
        triangle: (H,) row of the triangle in the mesh.
        cosine: (H,) cosine of the angle of incidence, in [0, 1].
    """

    ray: np.ndarray
    distance: np.ndarray
    triangle: np.ndarray
    cosine: np.ndarray


def return_probability(surface: np.ndarray, distance: np.ndarray, cosine: np.ndarray) -> np.ndarray:
    """(H,) probability that a hit gives a return.

    One per cent of all shots are lost, and the share that the surface loses. The remaining probability depends on the
    echo, which falls with reflectivity, incidence and the square of the distance, relative to the receiver's threshold.
    Exponent and threshold were chosen so that point counts on cars and on the road fall with distance as in KITTI
    sweeps.

    Args:
        surface: (H, 4) :class:`~kecor.simulation.objects.meshes.Surface` of the hit.
        distance: (H,) metres.
        cosine: (H,) cosine of the angle of incidence.
    """
    echo = surface[:, 0] * cosine**0.2 * (20.0 / np.maximum(distance, 1.0)) ** 2
    detected = 1 / (1 + (ECHO_THRESHOLD / np.maximum(echo, 1e-6)) ** 2)
    return 0.99 * (1 - surface[:, 1]) * detected


def measure(
    rays: np.ndarray, hits: Hits, surface: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The points that the sensor returns for ``hits``.

    Args:
        rays: (R, 6) origins and unit directions.
        hits: H hits of the rays.
        surface: (H, 4) :class:`~kecor.simulation.objects.meshes.Surface` of each hit.
        rng: source of noise and lost returns.

    Returns:
        (P, 4) float32 points, x, y, z in the frame of the rays rounded to millimetres and intensity rounded to
        hundredths, as in KITTI's files, and (P,) their rows in ``hits``.
    """
    returned = rng.random(len(hits.ray)) < return_probability(surface, hits.distance, hits.cosine)
    noise = rng.normal(scale=RANGE_NOISE, size=len(returned)) + np.abs(rng.normal(size=len(returned))) * surface[:, 2]
    distance = hits.distance + noise
    gloss = surface[:, 3]
    shade = (1 - gloss) * (0.6 + 0.4 * hits.cosine) + gloss * hits.cosine**6
    intensity = surface[:, 0] * shade + rng.normal(scale=0.07, size=len(returned))
    kept = np.flatnonzero(returned & (distance < MAX_RANGE))
    shot = rays[hits.ray[kept]].astype(np.float64)
    xyz = shot[:, :3] + distance[kept, None] * shot[:, 3:]
    points = np.column_stack([np.round(xyz, 3), np.round(np.clip(intensity[kept], 0, 0.99), 2)])
    return points.astype(np.float32), kept
