"""Which frames are labelled, in the order they were bought, and which are not yet."""

from __future__ import annotations

from collections.abc import Sequence


class Pool:
    """The frames of a training split, each either labelled or unlabelled, never both and never neither.

    Args:
        ids: every frame of the split, unique.
        rounds: the labelled ids, round by round in the order they were bought; round 0 is the initial set.

    Raises:
        ValueError: an id stands twice, or a labelled id is not in the split.
    """

    def __init__(self, ids: Sequence[str], rounds: Sequence[Sequence[str]] = ()) -> None:
        if len(set(ids)) != len(ids):
            raise ValueError("a frame id stands more than once in the split")
        self.ids = list(ids)
        self.rounds: list[list[str]] = []
        self._free = set(ids)
        for bought in rounds:
            self.label(bought)

    @property
    def labelled(self) -> list[str]:
        """The labelled ids, in the order they were bought."""
        return [frame_id for bought in self.rounds for frame_id in bought]

    @property
    def unlabelled(self) -> list[str]:
        """The unlabelled ids, in the order of the split."""
        return [frame_id for frame_id in self.ids if frame_id in self._free]

    def label(self, ids: Sequence[str]) -> None:
        """Move ``ids`` from unlabelled to labelled, as the next round.

        Raises:
            ValueError: an id is labelled already, stands twice or is not in the split; then nothing moves.
        """
        wrong = [frame_id for frame_id in ids if frame_id not in self._free]
        if wrong or len(set(ids)) != len(ids):
            raise ValueError(f"not unlabelled, or named twice: {', '.join(wrong or sorted(ids))}")
        self._free.difference_update(ids)
        self.rounds.append(list(ids))
