"""KECOR: kernel coding rate maximisation (Luo et al., ICCV 2023)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from kecor.acquisition.base import take_within_budget, within
from kecor.acquisition.uncertainty import class_entropy, require_detections
from kecor.coding_rate import GreedyCodingRate, Pick
from kecor.errors import ConfigError, SelectionError
from kecor.ntk import KERNELS, KernelMatrix, ProxyFit, RoiFrames, build_kernel, fit_proxy, training_pairs
from kecor.registry import ACQUISITIONS
from kecor.structures import Budget, FrameSet, Selection

CHOICES = {
    "kernel": KERNELS,
    "arrangement": ("per_roi", "flatten"),
    "output": ("sum", "full"),
    "class_entropy": ("shannon", "released"),
    "combine": ("additive", "released"),
}
NUMBERS = {"sigma": float, "steps": int, "learning_rate": float, "batch_size": int, "rank": int}
"""Arguments that must lie above zero."""


@ACQUISITIONS.register_module("kecor")
class Kecor:
    """Frames whose features need the most nats to encode beside the labelled ones, plus the entropy of their classes.

    Each frame gains ``1/2 log(1 + v / sigma^2) + entropy_weight * H``: v is its posterior variance, given the labelled
    frames and those picked before, under the kernel scaled to a mean diagonal of 1 on the labelled frames; H is the
    entropy of its predicted classes. Greedy search; see :mod:`kecor.coding_rate`.

    Args:
        kernel: ``ntk`` (empirical neural tangent kernel of a proxy head fitted on the labelled frames), ``last_layer``
            of it, or ``linear``, ``rbf``, ``laplace`` on the frames' mean features, which need no proxy head.
        arrangement: ``per_roi``: the head acts on one RoI, a frame is the score-weighted mean over its RoIs;
            ``flatten``: the head acts on all RoIs of a frame side by side.
        output: ``sum``: gradients of the summed outputs; ``full``: of every output (dearer by their number).
        sigma: noise level, in units of the labelled frames' mean kernel norm. The gain is linear in posterior variances
            far below sigma^2 and saturates, as a logarithm, far above it. Given 100 labelled frames the variances are
            about 0.1, ten times the default's sigma^2.
        entropy_weight: lambda. What decides is how much a term differs between frames: coding-rate gains spread by
            about 0.15 nats, entropies by about 0.3, so that at 0.5 both have their say.
        class_entropy: ``shannon``, or ``released``: classes without a box count one.
        combine: ``additive``, or ``released``: the weighted entropy is added to the kernel's diagonal inside the
            determinant.
        standardise: standardise the head's inputs and targets by the labelled RoIs.
        steps, learning_rate, batch_size: of Adam for the proxy head.
        rank: project the ``ntk`` to so many dimensions; None keeps it exact.
        require_convergence: whether a proxy head that is no better than at its start or than the mean is an error.
        memory_gb: how much of the pool's and labelled frames' representations is kept rather than computed anew.
        device: where the proxy head and the kernel are computed.
    """

    needs = frozenset({"detections", "roi_features"})

    def __init__(
        self,
        kernel: str = "ntk",
        arrangement: str = "per_roi",
        output: str = "sum",
        sigma: float = 0.1,
        entropy_weight: float = 0.5,
        class_entropy: str = "shannon",
        combine: str = "additive",
        standardise: bool = True,
        steps: int = 500,
        learning_rate: float = 1e-3,
        batch_size: int = 512,
        rank: int | None = None,
        require_convergence: bool = True,
        memory_gb: float = 4.0,
        device: str = "cpu",
    ) -> None:
        _check_arguments(locals())
        self.kernel, self.arrangement, self.output, self.rank = kernel, arrangement, output, rank
        self.sigma, self.entropy_weight, self.combine = sigma, entropy_weight, combine
        self.absent_count_one = class_entropy == "released"
        self.standardise, self.require_convergence = standardise, require_convergence
        self.fit_options = {"steps": steps, "learning_rate": learning_rate, "batch_size": batch_size}
        self.memory_gb, self.device = memory_gb, device

    def select(self, pool: FrameSet, labelled: FrameSet, budget: Budget, rng: np.random.Generator) -> Selection:
        """See :class:`~kecor.acquisition.base.Acquisition`. A proxy head needs ``targets`` in ``labelled``.

        ``info`` holds the size of both terms over the picks, the share of them that plain top-entropy would have
        picked as well, and how the proxy fit went.

        Raises:
            SelectionError: features, detections or targets are missing, misshapen or not finite; the proxy head
                diverged; the kernel cannot be factorised.
        """
        detections = require_detections(pool, "kecor")
        if len(pool) == 0:
            return Selection(np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        order = np.argsort(pool.ids)
        entropy = class_entropy(detections, self.absent_count_one)[order]
        costs = budget.costs(pool.n_boxes())[order]
        try:
            pool_kernel, labelled_kernel, fit = self._kernels(pool, labelled, generator)
            greedy = self._greedy(pool_kernel, labelled_kernel, self.entropy_weight * entropy)
        except SelectionError as error:
            raise SelectionError(f"kecor: {error}") from error
        scores = np.empty(len(pool))
        scores[order] = greedy.gains()
        walked: list[Pick] = []

        def walk():
            for pick in greedy.picks(within(costs, budget.amount, budget)):
                walked.append(pick)
                yield pick.index

        taken = take_within_budget(walk(), costs, budget)
        picks = walked[: len(taken)]
        info = self._info(picks, taken, entropy, fit, labelled_kernel.scale)
        return Selection(order[taken], np.array([pick.gain for pick in picks]), scores, info)

    def _kernels(
        self, pool: FrameSet, labelled: FrameSet, generator: torch.Generator
    ) -> tuple[KernelMatrix, KernelMatrix, ProxyFit | None]:
        """The kernel over the pool and over the labelled frames, both scaled, and the fit behind them."""
        if len(labelled) == 0:
            raise SelectionError("no frame is labelled yet: start from a random round")
        frames = RoiFrames(labelled, self.arrangement, device=self.device)
        statistics = frames.statistics()
        scaling = statistics if self.standardise else None
        known, unknown = (RoiFrames(f, self.arrangement, scaling, device=self.device) for f in (labelled, pool))
        if known.width != unknown.width:
            raise SelectionError(f"features of labelled frames have {known.width} inputs, of the pool {unknown.width}")
        fit = self._fit(known, labelled, generator) if self.kernel in ("ntk", "last_layer") else None
        kernel = build_kernel(self.kernel, known, fit and fit.head, self.output, self.rank, generator)
        half = self.memory_gb * 2**30 / 2
        labelled_kernel = KernelMatrix(kernel, known, cache_bytes=half)
        scale = float(labelled_kernel.diagonal().mean())
        if not np.isfinite(scale) or scale <= 0:
            raise SelectionError(f"the kernel's mean diagonal on the labelled frames is {scale}")
        labelled_kernel.scale = scale
        return KernelMatrix(kernel, unknown, scale, half), labelled_kernel, fit

    def _fit(self, known: RoiFrames, labelled: FrameSet, generator: torch.Generator) -> ProxyFit:
        if "targets" not in labelled.feats:
            raise SelectionError(
                f"kernel {self.kernel!r} needs feats['targets'] of the labelled frames to fit its proxy head"
            )
        pairs = training_pairs(known, labelled.feats["targets"])
        fit = fit_proxy(*pairs, generator, standardise=self.standardise, **self.fit_options)
        if self.require_convergence and not fit.converged:
            raise SelectionError(
                f"the proxy head diverged: loss {fit.loss_first:.4g} before the fit, {fit.loss_last:.4g} after "
                f"{len(fit.losses)} steps, {fit.loss_mean:.4g} for the mean target; lower learning_rate or standardise"
            )
        return fit

    def _greedy(self, pool: KernelMatrix, labelled: KernelMatrix, bonus: np.ndarray) -> GreedyCodingRate:
        """The search, conditioned on the labelled frames; the entropy stands outside or inside the determinant."""
        terms = {"bonus" if self.combine == "additive" else "inner": bonus}
        cross, gram, diagonal = pool.cross(labelled), labelled.cross(labelled), pool.diagonal()
        bad = ~(np.isfinite(diagonal) & np.isfinite(cross).all(1))
        if bad.any():
            frames = pool.frames
            raise SelectionError(f"frame {str(frames.ids[frames.order[bad][0]])!r}: its kernel is not finite")
        greedy = GreedyCodingRate(diagonal, pool.column, self.sigma, **terms)
        greedy.condition(cross, gram)
        return greedy

    def _info(
        self, picks: list[Pick], taken: np.ndarray, entropy: np.ndarray, fit: ProxyFit | None, scale: float
    ) -> dict[str, Any]:
        rate = np.array([pick.rate_gain for pick in picks])
        rest = np.array([pick.gain for pick in picks]) - rate
        top = np.argsort(-entropy, kind="stable")[: len(picks)]
        info = {
            "rate_gain_sum": float(rate.sum()),
            "rate_gain_mean": float(rate.mean()) if len(picks) else 0.0,
            "entropy_gain_sum": float(rest.sum()),
            "entropy_gain_mean": float(rest.mean()) if len(picks) else 0.0,
            "overlap_with_top_entropy": len(np.intersect1d(top, taken)) / max(1, len(picks)),
            "sigma": self.sigma,
            "kernel_scale": scale,
        }
        if fit is not None:
            info |= {
                "proxy_loss_first": fit.loss_first,
                "proxy_loss_last": fit.loss_last,
                "proxy_loss_mean": fit.loss_mean,
            }
        return info


def _check_arguments(given: dict[str, Any]) -> None:
    for key, choices in CHOICES.items():
        if given[key] not in choices:
            raise ConfigError(f"acquisition.{key}: {given[key]!r} is none of {', '.join(choices)}")
    for key, kind in NUMBERS.items():
        value = given[key]
        fits = isinstance(value, int if kind is int else (int, float)) and value > 0
        if not fits and not (key == "rank" and value is None):
            whole = "a whole number" if kind is int else "a number (written like 0.001)"
            raise ConfigError(f"acquisition.{key}: expected {whole} above zero, got {value!r}")
    for key in ("entropy_weight", "memory_gb"):
        if not (isinstance(given[key], (int, float)) and given[key] >= 0):
            raise ConfigError(f"acquisition.{key}: expected a number not below zero, got {given[key]!r}")
