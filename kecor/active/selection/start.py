"""Which frames a run may buy and which it may begin with."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from kecor.active.selection.spacing import Place, places_of
from kecor.active.state import ROUND_STAGES
from kecor.config import Config
from kecor.datasets.base import Dataset


def stage_rng(seed: int, number: int, stage: str) -> np.random.Generator:
    """A function of the seed, the round and the stage alone; ``stage`` is one of ROUND_STAGES or ``initial``."""
    return np.random.default_rng([seed, number, (*ROUND_STAGES, "initial").index(stage)])


def candidates(ids: list[str], config: Config) -> list[str]:
    """Every ``active.interval``-th of ``ids``, the frames of the training split, beginning with the first."""
    return ids[:: config.active.interval]


def must_wait(dataset: Dataset, config: Config) -> bool:
    """Whether annotators have to label the first frames because none is labelled."""
    return config.oracle.type == "annotators" and not any(map(dataset.is_labelled, dataset.ids))


def first_frames(dataset: Dataset, config: Config) -> list[str]:
    """The frames of round 0.

    They are chosen among the labelled candidates; where these are too few, among all labelled frames; where nothing is
    labelled, among all candidates.
    """
    labelled = [frame_id for frame_id in dataset.ids if dataset.is_labelled(frame_id)]
    kept = set(candidates(dataset.ids, config))
    preferred = [frame_id for frame_id in labelled or dataset.ids if frame_id in kept]
    frames = preferred if len(preferred) >= config.active.initial else labelled
    return initial_frames(frames, config, places_of(dataset, dataset.ids))


def initial_frames(frames: Sequence[str], config: Config, places: dict[str, Place] | None = None) -> list[str]:
    """``active.initial`` of ``frames``, which the seed alone decides, so that all methods start from the same.

    Args:
        frames: to choose from.
        config: ``active.first`` says how.
        places: sequence and time of frames, which are spread over them.
    """
    rng, n = stage_rng(config.seed, 0, "initial"), config.active.initial
    if config.active.first == "spread":
        return spread(frames, places or {}, n, rng)
    return rng.choice(sorted(frames), n, replace=False).tolist()


def spread(frames: Sequence[str], places: dict[str, Place], n: int, rng: np.random.Generator) -> list[str]:
    """``n`` of ``frames``, as many of each sequence as of any other and evenly spaced in its time.

    Where ``n`` is no multiple of the number of sequences, chance decides which give one frame more. A sequence with too
    few frames gives all it has. Frames without a place count as one sequence, in their order.
    """
    sequences: dict[str, list[tuple[float, str]]] = {}
    for number, frame_id in enumerate(frames):
        sequence, time = places.get(frame_id, ("", float(number)))
        sequences.setdefault(sequence, []).append((time, frame_id))
    order = [sorted(sequences[name]) for name in rng.permutation(sorted(sequences))]
    shares = [0] * len(order)
    while sum(shares) < min(n, len(frames)):
        for i, of_sequence in enumerate(order):
            shares[i] += int(shares[i] < len(of_sequence) and sum(shares) < n)
    return [frame_id for of_sequence, share in zip(order, shares) for frame_id in _evenly(of_sequence, share)]


def _evenly(frames: list[tuple[float, str]], n: int) -> list[str]:
    """``n`` of frames sorted by time: those nearest to the middles of ``n`` equal spans of time."""
    times = np.array([time for time, _ in frames])
    chosen: list[int] = []
    for k in range(n):
        wanted = times[0] + (times[-1] - times[0]) * (k + 0.5) / n
        free = [i for i in range(len(frames)) if i not in chosen]
        chosen.append(min(free, key=lambda i: abs(times[i] - wanted)))
    return [frames[i][1] for i in sorted(chosen)]


def find_places(dataset: Dataset, config: Config, log: Callable[[str], None]) -> dict[str, Place]:
    """Sequence and time of each frame where ``active.min_gap`` needs them; warns where there are none."""
    if config.active.min_gap == 0:
        return {}
    places = places_of(dataset, dataset.ids)
    if not places:
        log(f"warning: active.min_gap has no effect: {config.data.type} names no sequence of any frame")
    return places
