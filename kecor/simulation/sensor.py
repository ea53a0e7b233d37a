"""The simulated LiDAR: where its beams point, which of them come back, and with what range and intensity.

The beam table was measured on KITTI sweeps: in each of the 64 rings z is a straight line of the horizontal distance to
2 mm, whose slope is the beam's elevation and whose intercept is the height of its laser above the sensor's origin.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MOUNT_HEIGHT = 1.73
"""Metres of the sensor's origin above the road (Geiger et al., IJRR 2013, figure 1)."""
MAX_RANGE = 80.0
COLUMNS = 2160
"""Shots a turn: six a degree, as counted on the road close to the sensor in KITTI's sweeps."""
RANGE_NOISE = 0.02
ECHO_THRESHOLD = 0.045
SECTOR = np.deg2rad(44.0)
"""Half the azimuth of the default sector, which holds the view of KITTI's camera."""


def beam_table() -> tuple[np.ndarray, np.ndarray]:
    """Elevation (64,) in radians and height (64,) in metres above the sensor's origin of each laser, top to bottom.

    The upper 32 lasers are 0.34 degrees apart, the lower 32 are 0.52 and sit 7 cm lower.
    """
    elevation = np.concatenate([np.linspace(1.94, -8.71, 32), np.linspace(-9.03, -25.0, 32)])
    height = np.concatenate([np.linspace(0.209, 0.198, 32), np.linspace(0.126, 0.116, 32)])
    return np.deg2rad(elevation), height


def rays(full_sweep: bool = False, turn: float = 0.0) -> np.ndarray:
    """(R, 6) float32 origins and unit directions in the LiDAR frame, ring by ring from the top.

    Args:
        full_sweep: all round; otherwise the sector ahead that holds the camera's view.
        turn: azimuth in radians of the first shot, which differs from turn to turn.
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
    """Where the rays that hit something did.

    Attributes:
        ray: (H,) row of the rays.
        distance: (H,) metres along the ray.
        triangle: (H,) row of the scene's triangles.
        cosine: (H,) of the angle of incidence, [0, 1].
    """

    ray: np.ndarray
    distance: np.ndarray
    triangle: np.ndarray
    cosine: np.ndarray


def return_probability(surface: np.ndarray, distance: np.ndarray, cosine: np.ndarray) -> np.ndarray:
    """(H,) chance that a hit gives a return.

    One per cent of all shots are lost, and what the surface loses; of the rest those whose echo, which falls with
    reflectivity, incidence and the square of the distance, is under the receiver's threshold. Exponent and threshold
    were set so that cars thin out and the road fades with distance as in KITTI's sweeps.
    """
    echo = surface[:, 0] * cosine**0.2 * (20.0 / np.maximum(distance, 1.0)) ** 2
    heard = 1 / (1 + (ECHO_THRESHOLD / np.maximum(echo, 1e-6)) ** 2)
    return 0.99 * (1 - surface[:, 1]) * heard


def measure(
    rays: np.ndarray, hits: Hits, surface: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """What the sensor reports of ``hits``.

    Args:
        rays: (R, 6).
        hits: H of them.
        surface: (H, 4), the :class:`~kecor.simulation.objects.meshes.Surface` hit.
        rng: the source of noise and drop-out.

    Returns:
        (P, 4) float32 points, x, y, z in the LiDAR frame in whole millimetres and intensity in hundredths, as KITTI
        stores them; and (P,) the rows of ``hits`` they come from.
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
