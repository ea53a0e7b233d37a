"""The state of a run on disk: a run killed at any moment resumes from it and ends like an undisturbed one."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kecor import run_dir
from kecor.active.older_settings import renamed
from kecor.config.differences import differences
from kecor.errors import DataError, StateError
from kecor.files import read_json, write_atomic, write_json

VERSION = 1
ROUND_STAGES = ("train", "evaluate", "pool", "select", "label")
WAITING = "waiting"
"""The stage of a run whose frames are with annotators: the initial ones, or between ``select`` and ``label``."""
DONE = "done"
NEW_RUN = "or start a new run with another --work-dir"
ROUNDS_KEY = "active.rounds"


@dataclass
class State:
    """Where a run stands.

    Attributes:
        settings: the config by dotted key, without the run-only keys.
        split_digest: SHA-256 of the ids of the training and validation split.
        seed: the run's seed.
        method: name of the acquisition function.
        frames: labelled frame ids by round; round 0 is the initial set, ``frames[k + 1]`` was picked in round k. The
            one record of what is labelled.
        boxes: true boxes of the config's classes in each of them.
        round: number of the current round.
        stage: the current stage of it, one of :data:`ROUND_STAGES`, :data:`WAITING` or :data:`DONE`.
        seconds: duration of each finished stage, by round.
        n_frames: frames of the training split; 0 where an older kecor did not record it.
        processes: number of processes the run began with; 0 where an older kecor did not record it.
        files: path within the run's folder -> SHA-256 of files that later stages read.
        label_digests: fingerprint of the labels bought for each round.
    """

    settings: dict[str, Any]
    split_digest: str
    seed: int
    method: str
    frames: list[list[str]]
    boxes: list[int]
    round: int = 0
    stage: str = ROUND_STAGES[0]
    seconds: list[dict[str, float]] = field(default_factory=lambda: [{}])
    n_frames: int = 0
    processes: int = 0
    files: dict[str, str] = field(default_factory=dict)
    label_digests: list[str] = field(default_factory=list)

    def finish(self, stage: str, following: str, seconds: float) -> None:
        """Record that ``stage`` of this round is finished and ``following`` comes next; ``label`` ends a round."""
        self.seconds[self.round][stage] = round(seconds, 3)
        self.stage = following
        if stage == "label":
            self.round += 1
            self.seconds.append({})

    @property
    def labelled(self) -> list[str]:
        """Labelled frame ids, in the order they were bought."""
        return [frame_id for ids in self.frames for frame_id in ids]

    def buy(self, boxes: dict[str, int], digest: str) -> None:
        """Record a purchase: frame id -> number of true boxes, and the fingerprint of the labels.

        Raises:
            ValueError: a frame is labelled already.
        """
        twice = sorted(boxes.keys() & set(self.labelled))
        if twice:
            raise ValueError(f"labelled already: {', '.join(twice)}")
        self.frames.append(list(boxes))
        self.boxes.append(sum(boxes.values()))
        self.label_digests.append(digest)

    def relabel(self, number: int, boxes: dict[str, int], digest: str) -> None:
        """Record the frames, boxes and labels that those bought for round ``number`` turn out to have."""
        self.frames[number] = list(boxes)
        self.boxes[number] = sum(boxes.values())
        self.label_digests[number] = digest

    def is_sound(self) -> bool:
        """Whether the entries are consistent."""
        lengths = {len(self.frames), len(self.boxes), len(self.seconds), self.round + 1}
        return self.stage in (*ROUND_STAGES, WAITING, DONE) and len(lengths) == 1

    def save(self, work_dir: Path) -> None:
        """Write the state atomically; the one before it is kept as the backup.

        Raises:
            OSError: it cannot be written (a full disk, say); the state on disk is unchanged.
        """
        path = work_dir / run_dir.STATE
        if path.exists():
            before = path.read_bytes()
            write_atomic(work_dir / run_dir.STATE_BACKUP, lambda stream: stream.write(before))
        values = dataclasses.asdict(self)
        digests = {"config_digest": _digest(self.settings), "state_digest": _digest(values)}
        write_json(path, {"version": VERSION, **digests, **values})


def load_state(work_dir: Path, settings: dict[str, Any], split_digest: str) -> State:
    """The state in ``work_dir``, checked against the config and the data set.

    Raises:
        StateError: it is damaged, of another version, or of another config or split; the message lists the differences.
    """
    path = work_dir / run_dir.STATE
    state = read_state(work_dir)
    check_settings(state, settings, work_dir)
    if state.split_digest != split_digest:
        raise StateError(
            f"{path}: the frame ids of data.train_split or data.val_split have changed since the run began; "
            f"restore the old split lists, {NEW_RUN}"
        )
    return state


def check_settings(state: State, settings: dict[str, Any], work_dir: Path) -> None:
    """Raise StateError with the differences unless the run in ``work_dir`` began with ``settings``.

    ``active.rounds`` may have grown: rounds are then added to the run.
    """
    more = settings[ROUNDS_KEY] > state.settings.get(ROUNDS_KEY, 0)
    before = {**state.settings, ROUNDS_KEY: settings[ROUNDS_KEY]} if more else state.settings
    if changes := differences(before, settings):
        raise StateError(
            f"{work_dir / run_dir.STATE}: the config has changed since the run began: {changes}; "
            f"use the old values, which are in {work_dir / run_dir.CONFIG}, {NEW_RUN}"
        )


def read_state(work_dir: Path) -> State:
    """The state in ``work_dir``, not compared with any config.

    Raises:
        StateError: it is damaged or of another version; the message says what to do.
    """
    path = work_dir / run_dir.STATE
    try:
        values = read_json(path)
        version, digest, whole = (values.pop(key, None) for key in ("version", "config_digest", "state_digest"))
        if version != VERSION:
            raise StateError(
                f"{path}: its version is {version}, this kecor reads version {VERSION}; continue with the kecor that "
                f"wrote it, {NEW_RUN}"
            )
        state = State(**values)
        intact = whole in (None, _digest(values))  # an older kecor wrote no digest of the whole
        if not intact or digest != _digest(state.settings) or not state.is_sound():
            raise ValueError("its entries are inconsistent")
    except (DataError, ValueError, KeyError, TypeError, AttributeError) as error:
        backup = path.with_name(run_dir.STATE_BACKUP)
        advice = NEW_RUN.removeprefix("or ")
        if backup.exists():
            advice = f"copy {backup.name}, the state one stage earlier, over it and --resume"
        raise StateError(f"{path}: the state is damaged ({error}); {advice}") from error
    return dataclasses.replace(state, settings=renamed(state.settings))


def digest_of_splits(train: Sequence[str], val: Sequence[str]) -> str:
    """SHA-256 of two lists of frame ids."""
    return _digest([list(train), list(val)])


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
