"""Learning loss for active learning (Yoo and Kweon, CVPR 2019)."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from kecor.acquisition.base import check_argument, take_best
from kecor.acquisition.frame_losses import frame_losses
from kecor.acquisition.loss_head import Schedule, fit_loss_head, held_out_share
from kecor.errors import SelectionError
from kecor.ntk.roi_frames import RoiFrames, Scaling
from kecor.progress import progress_bar
from kecor.registry import ACQUISITIONS
from kecor.structures import Budget, FrameSet, Selection


@ACQUISITIONS.register_module("llal")
class LLAL:
    """Frames of the highest predicted loss first; what predicts is a small head that ranks the labelled frames' losses.

    Yoo and Kweon, "Learning loss for active learning", CVPR 2019: a head on several levels of the network, each pooled
    over the whole map, learns by :func:`pairs <kecor.acquisition.loss_head.ranking_loss>` which of two inputs has the
    greater loss (equation 2, margin 1). Deviations from the paper:

    - the head is trained after the detector, on the features of the eval-mode pass, and not together with it, so that
      it can change nothing in the detector and all methods can share one. The losses are hence those of frames that
      the detector was trained on;
    - the levels are those that the detector's map concatenates: ``embedding``, standardised by the labelled frames. One
      layer of 128 reads all of them, where the paper has one a level;
    - the loss is that of the RoIs kept (:func:`~kecor.acquisition.frame_losses.frame_losses`), not that of the
      detector's training. Labelled frames without RoIs have none and teach nothing; frames of the pool need none;
    - a step compares all pairs of its frames, where the paper splits a batch into disjoint ones; pairs of equal losses
      are left out;
    - all of the pool is ranked, where the paper ranks a random part of it: nest this method in ``subsample`` for that.

    Scores are on a scale of their own and may be negative.

    Args:
        steps: of stochastic gradient descent with momentum 0.9, as in the paper.
        learning_rate: of the first step; it falls linearly to 0.
        weight_decay: far above the paper's 5e-4, since tens of frames and hundreds of channels must not be learned by
            heart.
    """

    needs = frozenset({"roi_features", "embedding"})
    terms: ClassVar = {
        "learned_from": ("Frames the loss head learned from", "labelled frames with at least one RoI"),
        "pairs_ranked_rightly": (
            "Pairs of labelled frames ranked correctly",
            "by loss heads that saw neither frame: 0.5 is chance, 1 is perfect",
        ),
    }

    def __init__(self, steps: int = 300, learning_rate: float = 0.03, weight_decay: float = 0.1) -> None:
        is_count = isinstance(steps, int) and not isinstance(steps, bool) and steps > 0
        check_argument("steps", steps, is_count, "a whole number above zero")
        is_rate = isinstance(learning_rate, (int, float)) and 0 < learning_rate < np.inf
        check_argument("learning_rate", learning_rate, is_rate, "a number above zero")
        is_decay = isinstance(weight_decay, (int, float)) and 0 <= weight_decay < np.inf
        check_argument("weight_decay", weight_decay, is_decay, "a number not below zero")
        self.schedule = Schedule(steps, learning_rate, weight_decay)

    def select(self, pool: FrameSet, labelled: FrameSet, budget: Budget, rng: np.random.Generator) -> Selection:
        """See :class:`~kecor.acquisition.base.Acquisition`. Needs ``roi_logits`` and ``targets`` in ``labelled``.

        ``info`` holds how many frames the head learned from, and the share of pairs of them that heads trained without
        either ranked rightly, None of too few: near 0.5 the head learned nothing of use.

        Raises:
            SelectionError: an array is missing, misshapen or not finite; no two labelled frames differ in their loss,
                or none in its embedding; the head diverged.
        """
        if not len(pool):
            return Selection(np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        try:
            inputs, losses, scaling = _lesson(labelled)
            head = fit_loss_head(inputs, losses, generator, self.schedule)
            scores = _predicted(head, pool, scaling)
        except SelectionError as error:
            raise SelectionError(f"llal: {error}") from error
        selection = take_best(scores, pool, budget)
        share = held_out_share(inputs, losses, generator, self.schedule)
        selection.info.update(learned_from=len(losses), pairs_ranked_rightly=share)
        return selection


def _lesson(labelled: FrameSet) -> tuple[Tensor, Tensor, Scaling]:
    """Standardised embeddings (L, D) and float64 losses (L,) of the labelled frames that have RoIs, in the order of the
    ids; and the scaling."""
    if len(labelled) < 2:
        raise SelectionError(f"it learns from the losses of two labelled frames or more, there are {len(labelled)}")
    raw, losses = _embeddings(labelled, "labelled frames"), frame_losses(labelled)
    raw.check()
    scaling = raw.statistics()
    frames = _embeddings(labelled, "labelled frames", scaling)
    losses = losses[frames.order]
    there = np.flatnonzero(~np.isnan(losses))
    inputs = frames.read(there)[0][:, 0]
    if len(np.unique(losses[there])) < 2:
        raise SelectionError(
            f"no two of the {len(there)} labelled frames that have RoIs differ in their loss: there is nothing to learn"
        )
    if (inputs == inputs[0]).all():
        raise SelectionError("all labelled frames have the same embedding: it cannot tell their losses apart")
    return inputs, torch.from_numpy(losses[there]), scaling


def _predicted(head: nn.Module, pool: FrameSet, scaling: Scaling) -> np.ndarray:
    """(N,) float64 predicted losses of the pool, in its order."""
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
        raise SelectionError("the predicted losses are not finite: lower learning_rate")
    return scores


def _embeddings(frames: FrameSet, name: str, scaling: Scaling | None = None) -> RoiFrames:
    """The frames as one RoI each, their embedding."""
    if "embedding" not in frames.feats:
        raise SelectionError(f"the {name} carry no 'embedding'")
    return RoiFrames(replace(frames, feats={"embedding": frames.feats["embedding"]}), scaling=scaling)
