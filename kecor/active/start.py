"""Which frames a run may buy and which it may begin with."""

from __future__ import annotations

from collections.abc import Callable

from kecor.active.spacing import Place, places_of
from kecor.config import Config
from kecor.datasets.base import Dataset


def candidates(ids: list[str], config: Config) -> list[str]:
    """Every ``active.interval``-th of ``ids``, the frames of the training split, beginning with the first."""
    return ids[:: config.active.interval]


def labelled_frames(dataset: Dataset, config: Config) -> list[str]:
    """The frames that round 0 is drawn from: labelled candidates or, where they are too few, all labelled frames."""
    labelled = [frame_id for frame_id in dataset.ids if dataset.is_labelled(frame_id)]
    kept = set(candidates(dataset.ids, config))
    preferred = [frame_id for frame_id in labelled if frame_id in kept]
    return preferred if len(preferred) >= config.active.initial else labelled


def find_places(dataset: Dataset, config: Config, log: Callable[[str], None]) -> dict[str, Place]:
    """Sequence and time of each frame where ``active.min_gap`` needs them; warns where there are none."""
    if config.active.min_gap == 0:
        return {}
    places = places_of(dataset, dataset.ids)
    if not places:
        log(f"warning: active.min_gap has no effect: {config.data.type} names no sequence of any frame")
    return places
