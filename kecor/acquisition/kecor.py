"""KECOR: kernel coding rate maximisation (Luo et al., ICCV 2023)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
import torch

from kecor.acquisition.arguments import check_choice, check_number
from kecor.acquisition.base import affordable, empty_selection, take_picks
from kecor.acquisition.uncertainty.measures import class_entropy, require_detections
from kecor.coding_rate import GreedyCodingRate, Pick
from kecor.errors import SelectionError
from kecor.ntk import KernelOptions, PoolKernel, diagnostics, frame_kernel, frame_targets
from kecor.registry import ACQUISITIONS
from kecor.structures import Budget, FrameSet, Selection

VARIANCE_SAMPLE = 256
"""Number of pool frames over which the posterior variance before and after the picks is averaged."""
TERMS = {
    "rate_gain_sum": ("Coding-rate term, all picks", "information the picks add to the labelled frames, in nats"),
    "rate_gain_mean": ("Coding-rate term, per pick", "the same, averaged over the picks"),
    "entropy_gain_sum": ("Entropy term, all picks", "class entropy of the picks times entropy_weight, in nats"),
    "entropy_gain_mean": ("Entropy term, per pick", "the same, averaged over the picks"),
    "rate_gains": ("Coding-rate term, each pick", "the same, of each pick in pick order"),
    "entropy_gains": ("Entropy term, each pick", "the same, of each pick in pick order"),
    "overlap_with_top_entropy": (
        "Overlap with top-entropy",
        "share of the picks that a ranking by entropy alone would also choose; at 1 the coding rate changed nothing",
    ),
    "sigma": (
        "Noise level sigma",
        "the larger it is, the less a frame is penalised for resembling labelled or picked frames",
    ),
}


@ACQUISITIONS.register_module("kecor")
class Kecor:
    """Select the frames with the largest coding-rate gain plus weighted class entropy.

    The gain of a frame is ``1/2 log(1 + v / sigma^2) + entropy_weight * H``. ``v`` is its posterior variance given the
    labelled frames and the frames picked so far, under a kernel scaled so that its mean diagonal on the labelled frames
    is 1. ``H`` is the Shannon entropy of its expected boxes by class. The greedy search is in
    :mod:`kecor.coding_rate`.

    Args:
        sigma: noise level, in units of the root mean kernel diagonal of the labelled frames. The coding-rate gain is
            linear in ``v`` for ``v`` far below sigma^2 and logarithmic far above it. With 100 labelled frames ``v`` is
            typically about 0.1, ten times the default sigma^2.
        entropy_weight: weight lambda of the entropy term. The influence of a term depends on how much it varies between
            frames: on the two pools of docs/kecor.md the standard deviation of the coding-rate gain was 0.15 and 0.16
            nats, that of the entropy 0.14 and 0.23 nats.
        class_entropy: ``shannon``, or ``released`` to count classes with less than one box once, as the authors' code
            counts absent ones.
        combine: ``additive``, or ``released`` to add the weighted entropy to the kernel's diagonal inside the
            determinant, as the authors' code does.
        kernel: the kernel between frames: attributes of :class:`~kecor.ntk.options.KernelOptions` by name, or its type
            alone.

    Raises:
        ConfigError: an argument is out of range.
    """

    needs = frozenset({"detections", "roi_features"})
    terms: ClassVar = TERMS | diagnostics.TERMS

    def __init__(
        self,
        sigma: float = 0.1,
        entropy_weight: float = 0.5,
        class_entropy: str = "shannon",
        combine: str = "additive",
        kernel: str | Mapping[str, Any] = "ntk",
    ) -> None:
        self.options = KernelOptions.of(kernel)
        check_number("sigma", sigma, lambda v: v > 0, "a number above 0")
        check_number("entropy_weight", entropy_weight, lambda v: v >= 0, "a number of at least 0")
        check_choice("class_entropy", class_entropy, ("shannon", "released"))
        check_choice("combine", combine, ("additive", "released"))
        self.sigma, self.entropy_weight, self.combine = sigma, entropy_weight, combine
        self.absent_count_one = class_entropy == "released"

    def select(self, pool: FrameSet, labelled: FrameSet, budget: Budget, rng: np.random.Generator) -> Selection:
        """See :class:`~kecor.acquisition.base.Acquisition`. A proxy head needs ``targets`` in ``labelled``.

        ``info`` reports both terms of the gain over the picks, the overlap with a ranking by entropy alone, the fit of
        the proxy head, and the diagnostics of the kernel (:mod:`kecor.ntk.diagnostics`).

        Raises:
            SelectionError: features, detections or targets are missing, have a wrong shape or are not finite; the proxy
                head diverged or learned nothing; or the kernel cannot be factorised.
        """
        require_detections(pool, "kecor")
        if len(pool) == 0:
            return empty_selection()
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        order = np.argsort(pool.ids)  # the kernel lists frames by id
        entropy = class_entropy(pool.expected_counts(), self.absent_count_one)[order]
        costs = budget.costs(pool.n_boxes())[order]
        terms = {"bonus" if self.combine == "additive" else "inner": self.entropy_weight * entropy}
        try:
            kernel, fit = frame_kernel(pool, labelled, self.options, generator)
            targets = frame_targets(labelled)
            search = GreedyCodingRate(kernel, self.sigma, **terms)
            initial_gains, initial_variance = search.gains(), search.variance.copy()
            taken, picks = _run_search(search, costs, budget)
            sample = _remaining_sample(taken, len(pool))
            before, after = initial_variance[sample], search.posterior(sample)
        except SelectionError as error:
            raise SelectionError(f"kecor: {error}") from error
        scores = np.empty(len(pool))
        scores[order] = initial_gains
        info = _gain_terms(picks, taken, entropy) | {"sigma": self.sigma, "kernel_scale": kernel.scale}
        info |= diagnostics.fit_info(fit)
        info["diagnostics"] = diagnostics.diagnose(
            _labelled_gram(kernel, labelled), labelled.ids.tolist(), targets, self.sigma**2, before, after
        )
        return Selection(order[taken], np.array([pick.gain for pick in picks]), scores, info)


def _run_search(search: GreedyCodingRate, costs: np.ndarray, budget: Budget) -> tuple[np.ndarray, list[Pick]]:
    """Run the greedy search until the budget is spent: positions and picks; ``search`` is conditioned on all picks."""
    picks: list[Pick] = []

    def steps() -> Iterator[tuple[int, float]]:
        for pick in search.picks(affordable(costs, budget)):
            picks.append(pick)
            yield pick.index, pick.gain

    taken, _ = take_picks(steps(), costs, budget)
    if len(taken):
        search.condition_on(int(taken[-1]))  # picks() conditions on a pick only when the next one is requested
    return taken, picks[: len(taken)]


def _remaining_sample(taken: np.ndarray, n: int) -> np.ndarray:
    """At most :data:`VARIANCE_SAMPLE` of the positions 0..n-1 that were not taken, evenly spaced."""
    remaining = np.setdiff1d(np.arange(n), taken)
    return remaining[:: max(1, -(-len(remaining) // VARIANCE_SAMPLE))]


def _gain_terms(picks: list[Pick], taken: np.ndarray, entropy: np.ndarray) -> dict[str, Any]:
    """Both terms of the gain, summed, averaged and by pick, and the overlap with a ranking by entropy alone."""
    rate = np.array([pick.rate_gain for pick in picks])
    rest = np.array([pick.gain for pick in picks]) - rate
    top = np.argsort(-entropy, kind="stable")[: len(picks)]
    count = max(1, len(picks))
    return {
        "rate_gain_sum": float(rate.sum()),
        "rate_gain_mean": float(rate.sum()) / count,
        "entropy_gain_sum": float(rest.sum()),
        "entropy_gain_mean": float(rest.sum()) / count,
        "rate_gains": rate.tolist(),
        "entropy_gains": rest.tolist(),
        "overlap_with_top_entropy": len(np.intersect1d(top, taken)) / count,
    }


def _labelled_gram(kernel: PoolKernel, labelled: FrameSet) -> np.ndarray:
    """(L, L) kernel between the labelled frames, in the order of ``labelled`` (the kernel lists them by id)."""
    place = np.argsort(np.argsort(labelled.ids))
    return kernel.known[np.ix_(place, place)]
