"""KECOR: kernel coding rate maximisation (Luo et al., ICCV 2023)."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch

from kecor.acquisition.base import check_argument, take_within_budget, within
from kecor.acquisition.uncertainty.measures import class_entropy, require_detections
from kecor.coding_rate import GreedyCodingRate, Pick
from kecor.errors import SelectionError
from kecor.ntk import diagnostics
from kecor.ntk.build import KernelOptions, frame_kernel, frame_targets
from kecor.ntk.pool_kernel import ObservedKernel
from kecor.progress import progress_bar
from kecor.registry import ACQUISITIONS
from kecor.structures import Budget, FrameSet, Selection

SAMPLE = 256
"""Pool frames whose posterior variance is computed anew to tell what the picks left."""
TERMS = {
    "rate_gain_sum": ("Coding-rate term, all picks", "information the picks add to the labelled frames, in nats"),
    "rate_gain_mean": ("Coding-rate term, per pick", "the same for one frame"),
    "entropy_gain_sum": ("Entropy term, all picks", "weighted class entropy of the picks"),
    "entropy_gain_mean": ("Entropy term, per pick", "the same for one frame"),
    "overlap_with_top_entropy": (
        "Overlap with top-entropy",
        "share of picks that entropy alone would also have made; at 1 the coding rate made no difference",
    ),
    "sigma": ("Noise level sigma", "the larger, the less a frame is penalised for resembling chosen ones"),
}


@ACQUISITIONS.register_module("kecor")
class Kecor:
    """Frames whose features need the most nats to encode beside the labelled ones, plus the entropy of their classes.

    Each frame gains ``1/2 log(1 + v / sigma^2) + entropy_weight * H``: v is its posterior variance, given the labelled
    frames and those picked before, under the kernel scaled to a mean diagonal of 1 on the labelled frames; H is the
    entropy of its predicted classes. Greedy search; see :mod:`kecor.coding_rate`.

    Args:
        sigma: noise level, in units of the labelled frames' mean kernel norm. The gain is linear in posterior variances
            far below sigma^2 and saturates, as a logarithm, far above it. Given 100 labelled frames the variances are
            about 0.1, ten times the default's sigma^2.
        entropy_weight: lambda. What decides is how much a term differs between frames: over two pools of docs/kecor.md
            coding-rate gains had standard deviations of 0.15 and 0.16 nats, entropies of 0.14 and 0.23.
        class_entropy: ``shannon``, or ``released``: classes without a box count one.
        combine: ``additive``, or ``released``: the weighted entropy is added to the kernel's diagonal inside the
            determinant.
        kernel, arrangement, output, standardise, steps, learning_rate, batch_size, rank, normalise, precision,
            require_convergence, device: how frames are compared; :class:`~kecor.ntk.build.KernelOptions`.
    """

    needs = frozenset({"detections", "roi_features"})
    terms: ClassVar = TERMS | diagnostics.TERMS

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
        steps: int = 200,
        learning_rate: float = 1e-3,
        batch_size: int = 512,
        rank: int | None = None,
        normalise: bool = True,
        precision: str = "float32",
        require_convergence: bool = True,
        device: str = "cpu",
    ) -> None:
        self.options = KernelOptions(
            kernel=kernel,
            arrangement=arrangement,
            output=output,
            standardise=standardise,
            steps=steps,
            learning_rate=learning_rate,
            batch_size=batch_size,
            rank=rank,
            normalise=normalise,
            precision=precision,
            require_convergence=require_convergence,
            device=device,
        )
        check_argument("sigma", sigma, isinstance(sigma, (int, float)) and 0 < sigma < np.inf, "a number above zero")
        is_weight = isinstance(entropy_weight, (int, float)) and 0 <= entropy_weight < np.inf
        check_argument("entropy_weight", entropy_weight, is_weight, "a number not below zero")
        check_argument("class_entropy", class_entropy, class_entropy in ("shannon", "released"), "shannon or released")
        check_argument("combine", combine, combine in ("additive", "released"), "additive or released")
        self.sigma, self.entropy_weight, self.combine = sigma, entropy_weight, combine
        self.absent_count_one = class_entropy == "released"

    def select(self, pool: FrameSet, labelled: FrameSet, budget: Budget, rng: np.random.Generator) -> Selection:
        """See :class:`~kecor.acquisition.base.Acquisition`. A proxy head needs ``targets`` in ``labelled``.

        ``info`` holds the size of both terms over the picks, the share of them that plain top-entropy would have
        picked as well, how the proxy fit went, and what :mod:`kecor.ntk.diagnostics` says of the kernel.

        Raises:
            SelectionError: features, detections or targets are missing, misshapen or not finite; the proxy head
                diverged or learned nothing; the kernel cannot be factorised.
        """
        detections = require_detections(pool, "kecor")
        if len(pool) == 0:
            return Selection(np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        order = np.argsort(pool.ids)
        entropy = class_entropy(detections, self.absent_count_one)[order]
        costs = budget.costs(pool.n_boxes())[order]
        terms = {"bonus" if self.combine == "additive" else "inner": self.entropy_weight * entropy}
        try:
            kernel, fit = frame_kernel(pool, labelled, self.options, generator)
            targets = frame_targets(labelled)
            greedy = GreedyCodingRate(kernel, self.sigma, **terms)
            gains, before = greedy.gains(), greedy.variance.copy()
            taken, picks = _walk(greedy, costs, budget)
            rest = _spread(taken, len(pool))
            before, after = before[rest], greedy.posterior(rest)
        except SelectionError as error:
            raise SelectionError(f"kecor: {error}") from error
        scores = np.empty(len(pool))
        scores[order] = gains
        info = self._sizes(picks, taken, entropy) | {"sigma": self.sigma, "kernel_scale": kernel.scale}
        info |= diagnostics.fit_info(fit)
        info["diagnostics"] = self._diagnostics(kernel, labelled, targets, before, after)
        return Selection(order[taken], np.array([pick.gain for pick in picks]), scores, info)

    def _sizes(self, picks: list[Pick], taken: np.ndarray, entropy: np.ndarray) -> dict[str, float]:
        """The size of both terms and how far the picks are those of entropy alone."""
        rate = np.array([pick.rate_gain for pick in picks])
        rest = np.array([pick.gain for pick in picks]) - rate
        top = np.argsort(-entropy, kind="stable")[: len(picks)]
        count = max(1, len(picks))
        return {
            "rate_gain_sum": float(rate.sum()),
            "rate_gain_mean": float(rate.sum()) / count,
            "entropy_gain_sum": float(rest.sum()),
            "entropy_gain_mean": float(rest.sum()) / count,
            "overlap_with_top_entropy": len(np.intersect1d(top, taken)) / count,
        }

    def _diagnostics(
        self,
        kernel: ObservedKernel,
        labelled: FrameSet,
        targets: np.ndarray | None,
        before: np.ndarray,
        after: np.ndarray,
    ) -> dict[str, Any]:
        """Of the kernel between the labelled frames, in the order in which they were handed over."""
        place = np.argsort(np.argsort(labelled.ids))
        gram = kernel.known[np.ix_(place, place)]
        return diagnostics.diagnose(gram, labelled.ids, targets, self.sigma**2, before, after)


def _walk(greedy: GreedyCodingRate, costs: np.ndarray, budget: Budget) -> tuple[np.ndarray, list[Pick]]:
    """What the budget buys of the greedy order, and the picks it consists of, all of them observed."""
    walked: list[Pick] = []

    def order():
        with progress_bar("select", None, "pick", delay=3.0) as bar:
            for pick in greedy.picks(within(costs, budget.amount, budget)):
                walked.append(pick)
                yield pick.index
                bar.update()

    taken = take_within_budget(order(), costs, budget)
    picks = walked[: len(taken)]
    for pick in picks[-1:]:
        greedy.observe(pick.index)
    return taken, picks


def _spread(taken: np.ndarray, n: int) -> np.ndarray:
    """Positions of at most SAMPLE of the n frames, evenly spread over those that were not taken."""
    rest = np.setdiff1d(np.arange(n), taken)
    return rest[:: max(1, -(-len(rest) // SAMPLE))]
