"""Deliveries as tables for the screen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from kecor.labelling.base import Labels
from kecor.labelling.changes import FrameChanges
from kecor.labelling.delivery import Delivery
from kecor.tables import format_table

SHOWN = 20
"""Lines of a list that are printed."""
KINDS = ("kept", "moved", "renamed", "added", "deleted")


def delivery_text(delivery: Delivery) -> str:
    """Frames, boxes by class, and everything that is missing or odd."""
    labels = delivery.labels
    rows = [
        ["frames read", len(labels)],
        ["of them without boxes", sum(len(boxes) == 0 for boxes in labels.values())],
        ["frames missing", len(delivery.missing)],
        ["frames that nobody asked for", len(delivery.unknown)],
        ["frames with problems", len(delivery.problems)],
    ]
    parts = [format_table(["delivery", ""], rows), class_table(labels)]
    parts += _listing("missing (not labelled; they do not count as empty):", delivery.missing)
    parts += _listing("nobody asked for (left out):", delivery.unknown)
    parts += _listing("notes:", delivery.notes)
    parts += _listing("problems:", list(delivery.problems.values()))
    return "\n\n".join(parts)


def class_table(labels: Labels) -> str:
    """Boxes and frames of each class."""
    boxes: Counter[str] = Counter()
    frames: Counter[str] = Counter()
    for of_frame in labels.values():
        names = of_frame.names.tolist()
        boxes.update(names)
        frames.update(set(names))
    rows = [[name, count, frames[name]] for name, count in boxes.most_common()]
    return format_table(["class", "boxes", "frames"], [*rows, ["all", sum(boxes.values()), len(labels)]])


def changes_text(changes: Mapping[str, FrameChanges]) -> str:
    """What annotators did with the pre-labels, by frame and in all, and how many frames came back untouched."""
    counts = {frame_id: of_frame.counts() for frame_id, of_frame in changes.items()}
    rows = [[frame_id, *(of_frame[kind] for kind in KINDS)] for frame_id, of_frame in list(counts.items())[:SHOWN]]
    if len(counts) > SHOWN:
        rows.append([f"({len(counts) - SHOWN} more)", *[None] * len(KINDS)])
    rows.append(["all", *(sum(of_frame[kind] for of_frame in counts.values()) for kind in KINDS)])
    untouched = sum(not any(of_frame[kind] for kind in KINDS[1:]) for of_frame in counts.values())
    table = format_table(["frame", *KINDS], rows)
    return f"{table}\n\n{untouched} of {len(counts)} frames came back as they were handed out"


def _listing(title: str, lines: Sequence[str]) -> list[str]:
    """A titled list, cut after some lines; nothing for an empty one."""
    if not lines:
        return []
    more = [f"  ... and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return ["\n".join([title, *(f"  {line}" for line in lines[:SHOWN]), *more])]
