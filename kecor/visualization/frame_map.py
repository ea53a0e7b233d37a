"""Where the frames of a round lie to each other for the detector: a map in two dimensions and nearest neighbours."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np

from kecor import run_dir
from kecor.errors import DataError
from kecor.files import read_json, write_json
from kecor.frame_sets.files import read_frames
from kecor.structures import FrameSet
from kecor.visualization.palette import COLOURS
from kecor.visualization.run_folder import RoundRecord

MOST = 2000
"""Frames of the pool that are drawn."""
WIDTH, HEIGHT, EDGE = 640, 400, 14
KINDS = {"pool": ("#98a2b3", 2.5), "labelled": (COLOURS[0], 4.0), "picked": (COLOURS[1], 5.0)}
"""Colour and radius of the dots."""


def write_map(record: RoundRecord) -> None:
    """Write ``frame_map.json`` of a round, unless it is there or the pool pass left no features that can be read.

    ``ids``, ``kinds`` (``pool``, ``labelled`` or ``picked``) and ``xy`` of the frames; ``share`` of the variance that
    the map shows; ``nearest``: pick -> the labelled frame that is nearest to it.
    """
    path, picks = record.folder / run_dir.MAP, (record.selection or {}).get("ids")
    folders = [record.folder / place for place in (run_dir.POOL_UNLABELLED, run_dir.POOL_LABELLED)]
    if path.exists() or not picks or not all(folder.is_dir() for folder in folders):
        return
    try:
        pool, labelled = map(read_frames, folders)
    except DataError:  # the round is over: a report without a map is better than none
        return
    parts = [features(pool), features(labelled)]
    if parts[0] is None or parts[1] is None or not len(labelled):
        return
    scaled = standardise(np.concatenate([parts[0], parts[1]]))
    xy, share = principal_plane(scaled)
    row = {frame_id: i for i, frame_id in enumerate(pool.ids.tolist())}
    known = scaled[len(pool) :]
    nearest = {i: str(labelled.ids[np.linalg.norm(known - scaled[row[i]], axis=1).argmin()]) for i in picks}
    kinds = ["picked" if i in nearest else "pool" for i in row] + ["labelled"] * len(labelled)
    ids = [*row, *labelled.ids.tolist()]
    value = {"ids": ids, "kinds": kinds, "xy": xy.round(3).tolist(), "share": round(share, 4), "nearest": nearest}
    write_json(path, value)


def read_map(record: RoundRecord) -> dict[str, Any] | None:
    """The map of a round; None where there is none."""
    path = record.folder / run_dir.MAP
    return read_json(path) if path.is_file() else None


def features(frames: FrameSet) -> np.ndarray | None:
    """(N, D) one vector a frame: its embedding, else the mean feature of its RoIs; None without either."""
    if "embedding" in frames.feats:
        return np.asarray(frames.feats["embedding"], float)
    if "roi_features" not in frames.feats:
        return None
    mask = frames.feats["roi_mask"]
    pairs = zip(frames.feats["roi_features"], mask)  # frame by frame: the array may be larger than memory
    return np.stack([np.where(own[:, None], of_frame, 0).sum(0, float) / max(1, own.sum()) for of_frame, own in pairs])


def standardise(rows: np.ndarray) -> np.ndarray:
    """(N, D) features less their mean, divided by their standard deviation where they vary."""
    spread = rows.std(0)
    return (rows - rows.mean(0)) / np.where(spread > 0, spread, 1)


def principal_plane(rows: np.ndarray) -> tuple[np.ndarray, float]:
    """(N, 2) coordinates of centred ``rows`` in their first two principal axes, and the share of variance they hold."""
    _, sizes, axes = np.linalg.svd(rows, full_matrices=False)
    axes = np.pad(axes[:2], ((0, max(0, 2 - len(axes))), (0, 0)))
    largest = axes[np.arange(2), np.abs(axes).argmax(1)]
    axes = axes * np.where(largest < 0, -1, 1)[:, None]  # the sign is arbitrary
    return rows @ axes.T, float((sizes[:2] ** 2).sum() / max((sizes**2).sum(), 1e-12))


def map_figure(value: dict[str, Any], number: int) -> str:
    """The map as a figure; dots of picks link to their pictures."""
    kinds = np.array(value["kinds"])
    pool = np.flatnonzero(kinds == "pool")
    shown = pool[np.linspace(0, len(pool) - 1, min(MOST, len(pool))).astype(int)]
    rows = [*shown, *np.flatnonzero(kinds == "labelled"), *np.flatnonzero(kinds == "picked")]
    xy = np.array(value["xy"], float).reshape(-1, 2)
    low, high = xy.min(0), xy.max(0)
    places = EDGE + (xy - low) / np.where(high > low, high - low, 1) * (WIDTH - 2 * EDGE, HEIGHT - 2 * EDGE)
    dots = "".join(_dot(value["ids"][i], kinds[i], *places[i]) for i in rows)
    counts = {kind: int((kinds == kind).sum()) for kind in KINDS}
    text = f"Map of round {number}: " + ", ".join(f"{n} {kind}" for kind, n in counts.items()) + " frames"
    keys = " ".join(
        f'<span class="key" style="background:{colour}"></span>{kind} ({counts[kind]})'
        for kind, (colour, _) in KINDS.items()
    )
    return (
        f'<figure><svg class="map" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(text)}">{dots}</svg>'
        f"<figcaption>{keys}. Each dot is a frame; frames near each other look alike to the detector. The map shows "
        f"{100 * value['share']:.0f} % of the variance of the detector's features (principal components). "
        "A picked dot leads to its picture.</figcaption></figure>"
    )


def _dot(frame_id: str, kind: str, x: float, y: float) -> str:
    colour, radius = KINDS[kind]
    circle = (
        f'<circle cx="{x:.1f}" cy="{HEIGHT - y:.1f}" r="{radius}" fill="{colour}">'
        f"<title>{escape(frame_id)}, {kind}</title></circle>"
    )
    return f'<a href="#pick-{escape(frame_id)}">{circle}</a>' if kind == "picked" else circle
