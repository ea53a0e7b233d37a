"""The boxes a detector proposes in one frame."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from torch import Tensor


@dataclass
class Proposals:
    """K boxes of one frame, sorted by descending score.

    Attributes:
        boxes: (K, 7).
        scores: (K,) in [0, 1].
        labels: (K,) 0-based class.
        logits: (K, classes) class logits.
        anchors: (K,) index of the anchor each box was decoded from.
        velocities: (K, 2) in m/s along x and y, or None if the detector does not predict them.
    """

    boxes: Tensor
    scores: Tensor
    labels: Tensor
    logits: Tensor
    anchors: Tensor
    velocities: Tensor | None = None

    def take(self, index: Tensor) -> Proposals:
        """The boxes at ``index`` (L,), in that order."""
        columns = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(self, **{name: column[index] for name, column in columns.items() if column is not None})
