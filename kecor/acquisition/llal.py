"""Learning loss for active learning (Yoo and Kweon, CVPR 2019)."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from kecor.acquisition.arguments import check_count, check_number
from kecor.acquisition.base import empty_selection, take_best
from kecor.acquisition.frame_losses import frame_losses
from kecor.acquisition.loss_head import Schedule, fit_loss_head, ranking_accuracy
from kecor.errors import SelectionError
from kecor.ntk.roi_frames import RoiFrames, Scaling
from kecor.progress import progress_bar
from kecor.registry import ACQUISITIONS
from kecor.structures import Budget, FrameSet, Selection


@ACQUISITIONS.register_module("llal")
class LLAL:
    """Select the frames with the highest predicted loss.

    Yoo and Kweon, "Learning loss for active learning", CVPR 2019: a small head on several pooled feature levels learns
    from the labelled frames which of two inputs has the higher loss (equation 2, margin 1; see
    :func:`~kecor.acquisition.loss_head.ranking_loss`).

    Differences from the paper:

    - The head is trained after the detector, on features of an eval-mode pass, not jointly with it. It cannot influence
      the detector, so all methods share one detector; its training losses are those of frames the detector was trained
      on.
    - One layer of 128 units reads all levels, which the detector concatenates in ``embedding``; the paper has one layer
      per level. Inputs are standardised with the statistics of the labelled frames.
    - The loss is computed from the RoIs (:func:`~kecor.acquisition.frame_losses.frame_losses`), not the detector's
      training loss. Labelled frames without RoIs are left out; pool frames need none.
    - Each step compares all pairs of its frames, not disjoint pairs of a batch. Pairs with equal losses are left out.
    - The whole pool is ranked, not a random part of it; use ``subsample`` for that.

    Scores have no fixed scale and may be negative.

    Args:
        steps: steps of stochastic gradient descent with momentum 0.9, as in the paper.
        learning_rate: initial learning rate; it decays linearly to 0.
        weight_decay: much larger than the paper's 5e-4, because there are few frames and many channels.

    Raises:
        ConfigError: an argument is out of range.
    """

    needs = frozenset({"roi_features", "embedding"})
    terms: ClassVar = {
        "learned_from": ("Frames the loss head was trained on", "labelled frames with at least one RoI"),
        "pairs_ranked_rightly": (
            "Held-out pairs ranked correctly",
            "share of pairs of labelled frames, by cross-validation of the loss head: 0.5 is chance, 1 is perfect",
        ),
    }

    def __init__(self, steps: int = 300, learning_rate: float = 0.03, weight_decay: float = 0.1) -> None:
        check_count("steps", steps, most=1_000_000)
        check_number("learning_rate", learning_rate, lambda v: v > 0, "a number above 0")
        check_number("weight_decay", weight_decay, lambda v: v >= 0, "a number of at least 0")
        self.schedule = Schedule(steps, learning_rate, weight_decay)

    def select(self, pool: FrameSet, labelled: FrameSet, budget: Budget, rng: np.random.Generator) -> Selection:
        """See :class:`~kecor.acquisition.base.Acquisition`. ``labelled`` needs ``roi_logits`` and ``targets``.

        ``info`` reports the number of frames the head was trained on and the share of held-out pairs that are ranked
        correctly (None with too few frames). Near 0.5 the head has learned nothing useful.

        Raises:
            SelectionError: an array is missing, has a wrong shape or is not finite; all labelled frames have the same
                loss or the same embedding; or the head diverged.
        """
        if not len(pool):
            return empty_selection()
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        try:
            inputs, losses, scaling = _training_set(labelled)
            head = fit_loss_head(inputs, losses, generator, self.schedule)
            scores = _predict(head, pool, scaling)
        except SelectionError as error:
            raise SelectionError(f"llal: {error}") from error
        selection = take_best(scores, pool, budget)
        accuracy = ranking_accuracy(inputs, losses, generator, self.schedule)
        selection.info.update(learned_from=len(losses), pairs_ranked_rightly=accuracy)
        return selection


def _training_set(labelled: FrameSet) -> tuple[Tensor, Tensor, Scaling]:
    """Standardised embeddings (L, D) and float64 losses (L,) of the labelled frames with RoIs, and the scaling."""
    if len(labelled) < 2:
        raise SelectionError(f"needs two labelled frames or more, there are {len(labelled)}")
    raw, losses = _embeddings(labelled, "labelled frames"), frame_losses(labelled)
    raw.check()
    scaling = raw.statistics()
    frames = _embeddings(labelled, "labelled frames", scaling)
    losses = losses[frames.order]
    has_loss = np.flatnonzero(~np.isnan(losses))
    inputs = frames.read(has_loss)[0][:, 0]
    if len(np.unique(losses[has_loss])) < 2:
        raise SelectionError(
            f"no two of the {len(has_loss)} labelled frames with RoIs differ in their loss; label more frames"
        )
    if (inputs == inputs[0]).all():
        raise SelectionError("all labelled frames have the same embedding, which cannot predict different losses")
    return inputs, torch.from_numpy(losses[has_loss]), scaling


def _predict(head: nn.Module, pool: FrameSet, scaling: Scaling) -> np.ndarray:
    """(N,) float64 predicted loss of each pool frame, in the order of the pool."""
    frames = _embeddings(pool, "pool", scaling)
    if frames.width != len(scaling.mean):
        raise SelectionError(
            f"embeddings of labelled frames have {len(scaling.mean)} values, of the pool {frames.width}"
        )
    scores = np.empty(len(pool))
    with progress_bar("losses", len(pool), "frame", delay=3.0) as bar:
        for chunk in frames.chunks(np.arange(len(pool))):
            scores[frames.order[chunk]] = head(frames.read(chunk)[0][:, 0]).numpy()
            bar.update(len(chunk))
    if not np.isfinite(scores).all():
        frames.check()
        raise SelectionError("the predicted losses are not finite; lower learning_rate or weight_decay")
    return scores


def _embeddings(frames: FrameSet, name: str, scaling: Scaling | None = None) -> RoiFrames:
    """The embeddings of ``frames``, read as one RoI per frame."""
    if "embedding" not in frames.feats:
        raise SelectionError(f"the {name} carry no 'embedding'")
    return RoiFrames(replace(frames, feats={"embedding": frames.feats["embedding"]}), scaling=scaling)
