"""What the report shows of each pick, in the folder of its round: a bird's-eye picture and the sweep in 3D."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from kecor import run_dir
from kecor.errors import DataError
from kecor.files import read_bytes, read_json, write_atomic
from kecor.frame_sets.files import read_frames
from kecor.structures import Boxes, Detections, Frame
from kecor.visualization.bird_eye import write_pick
from kecor.visualization.confidence import read_confidence, write_confidence
from kecor.visualization.frame_map import read_map
from kecor.visualization.run_folder import RoundRecord, RunRecord

MAX_POINTS = 16_000
"""Points of a sweep that are kept."""
MAX_BYTES = 1 << 24


class Frames(Protocol):
    """Reads bought frames with their labels, and any frame without; oracles do."""

    def read(self, frame_id: str) -> Frame: ...

    def read_labels(self, frame_id: str) -> tuple[Boxes, np.ndarray]: ...

    def read_unlabelled(self, frame_id: str) -> Frame: ...


def write_views(run: RunRecord, frames: Frames) -> None:
    """Draw each pick and neighbour that has no view yet, or whose labels came or were corrected since.

    Raises:
        DataError: a frame, its labels or what the detector found in it cannot be read.
    """
    places = shown_in(run)
    for record in [*run.rounds, first_frames(run)]:
        ids = [i for i in (record.selection or {}).get("ids") or [] if places[i] == record.number]
        confidence, paid = read_confidence(record), set(bought(record))
        stale = [i for i in ids if confidence is None or _is_stale(record, i, frames if i in paid else None)]
        if not stale:
            continue
        confidence = confidence or write_confidence(record, run, frames)
        found, prelabels = _found(record), _prelabels(record)
        for frame_id in stale:
            frame = frames.read(frame_id) if frame_id in paid else frames.read_unlabelled(frame_id)
            shown = confidence.shown(found[frame_id]) if frame_id in found else None
            _write(record, frame, frame_id in paid, shown, prelabels, run.config["data"]["classes"])


def _is_stale(record: RoundRecord, frame_id: str, labels: Frames | None) -> bool:
    view = read_view(record, frame_id)
    return view is None or view["true"] != (None if labels is None else _rows(*labels.read_labels(frame_id)))


def bought(record: RoundRecord) -> list[str]:
    """Ids of the picks of a round whose labels were bought, in pick order."""
    selection = record.selection or {}
    return [i for i, boxes in zip(selection.get("ids") or [], selection.get("true_boxes") or []) if boxes is not None]


def shown_in(run: RunRecord) -> dict[str, int]:
    """Frame -> the round that shows it: of those that picked it the last; -1 for frames of the start."""
    places = dict.fromkeys((first_frames(run).selection or {})["ids"], -1)
    return places | {i: record.number for record in run.rounds for i in (record.selection or {}).get("ids") or []}


def first_frames(run: RunRecord) -> RoundRecord:
    """The frames of the start that are the nearest labelled ones of some pick, as if they were picks of a round."""
    maps = [read_map(record) for record in run.rounds]
    picks = {i for record in run.rounds for i in bought(record)}
    ids = sorted({i for place in maps if place for i in place["nearest"].values()} - picks)
    selection = {"ids": ids, "true_boxes": [0] * len(ids)}
    return RoundRecord(-1, run.folder / run_dir.INITIAL, {}, selection)


def picture_path(record: RoundRecord, frame_id: str) -> Path:
    """Where the picture of a pick is."""
    return record.folder / run_dir.PICKS / f"{frame_id}.png"


def view_path(record: RoundRecord, frame_id: str) -> Path:
    """Where the sweep and the boxes of a pick are: gzipped JSON."""
    return record.folder / run_dir.PICKS / f"{frame_id}.json.gz"


def read_view(record: RoundRecord, frame_id: str) -> dict[str, Any] | None:
    """The view of a pick; None where there is none.

    ``points``: three lists x, y, z in centimetres. ``true`` (None for a frame that is not labelled), ``predicted``
    and, where annotators began with some, ``prelabels``: lists of ``[class, x, y, z, dx, dy, dz, heading]``, predicted
    ones with their score behind.

    Raises:
        DataError: the file is damaged.
    """
    path = view_path(record, frame_id)
    if not path.is_file() or not picture_path(record, frame_id).is_file():
        return None
    try:
        view: dict[str, Any] = json.loads(gzip.decompress(read_bytes(path, MAX_BYTES)))
    except (OSError, EOFError, ValueError) as error:
        raise DataError(f"{path}: cannot be read: {error}; remove it and write the report again") from error
    return view


def thin(points: np.ndarray, most: int = MAX_POINTS) -> np.ndarray:
    """(N, 3+) points -> (K, 3) of its finite points, evenly spaced in their order; K is at most ``most``."""
    points = np.asarray(points)[:, :3]
    points = points[np.isfinite(points).all(1)]
    return points[np.linspace(0, len(points) - 1, min(most, len(points))).astype(int)]


def _write(
    record: RoundRecord,
    frame: Frame,
    labelled: bool,
    shown: Detections | None,
    prelabels: dict[str, Any],
    classes: list[str],
) -> None:
    own = prelabels.get(frame.frame_id)
    view = {
        "true": _rows(frame.boxes, frame.names) if labelled else None,
        "predicted": [] if shown is None else _rows(shown.boxes, np.array(classes)[shown.labels], shown.scores),
        "prelabels": None if own is None else _rows([item["box"] for item in own], [item["name"] for item in own]),
        "points": np.rint(100 * thin(frame.points).astype(float)).astype(int).T.tolist(),
    }
    text = json.dumps(view, separators=(",", ":")).encode()
    write_pick(picture_path(record, frame.frame_id), frame, shown, classes)
    write_atomic(view_path(record, frame.frame_id), lambda stream: stream.write(gzip.compress(text, mtime=0)))


def _rows(boxes: Any, names: Iterable[Any], scores: np.ndarray | None = None) -> list[list[Any]]:
    numbers = np.asarray(boxes, float).reshape(-1, 7)
    if scores is not None:
        numbers = np.column_stack([numbers, scores])
    return [[str(name), *row] for name, row in zip(names, numbers.round(3).tolist())]


def _found(record: RoundRecord) -> dict[str, Detections]:
    """What the detector found in the pool of a round; empty where nothing was kept."""
    folder = record.folder / run_dir.POOL_UNLABELLED
    if not folder.is_dir():
        return {}
    pool = read_frames(folder)
    return dict(zip(pool.ids.tolist(), pool.detections))


def _prelabels(record: RoundRecord) -> dict[str, Any]:
    path = record.folder / run_dir.HANDED_OUT
    return read_json(path)["prelabels"] if path.is_file() else {}
