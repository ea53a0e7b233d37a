"""From two sets of frames to the kernel between them: scaling, proxy head, kernel, in this order."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from kecor.errors import ConfigError, SelectionError
from kecor.ntk.kernels import KERNELS, build_kernel
from kecor.ntk.pool_kernel import ObservedKernel
from kecor.ntk.proxy import ProxyFit, fit_proxy, per_roi_targets, training_pairs
from kecor.ntk.roi_frames import RoiFrames
from kecor.structures import FrameSet

CHOICES = {
    "kernel": KERNELS,
    "arrangement": ("per_roi", "flatten"),
    "output": ("sum", "full"),
    "precision": ("float32", "bfloat16", "float64"),
}
COUNTS = ("steps", "batch_size", "rank")
FLAGS = ("standardise", "normalise", "require_convergence")


@dataclass(frozen=True)
class KernelOptions:
    """How frames are compared.

    Attributes:
        kernel: ``ntk`` (empirical neural tangent kernel of a proxy head fitted on the labelled frames), ``last_layer``
            of it, or ``linear``, ``rbf``, ``laplace`` on the frames' mean features, which need no proxy head.
        arrangement: ``per_roi``: the head acts on one RoI, a frame is the score-weighted mean over its RoIs;
            ``flatten``: the head acts on all RoIs of a frame side by side.
        output: ``sum``: gradients of the summed outputs; ``full``: of every output (dearer by their number).
        standardise: standardise the head's inputs and targets by the labelled RoIs.
        steps, learning_rate, batch_size: of Adam for the proxy head. On held-out frames of 100 labelled ones the error
            was least after 100 to 300 steps and above that of the mean target after 1,000.
        rank: project the ``ntk`` to so many dimensions; None keeps it exact.
        normalise: compare frames by the direction of their representations alone, so that what counts is how a frame
            differs from others and not how large its gradient is, which grows with the number of objects in it.
        precision: what the kernel is computed in; ``bfloat16``: float32 whose matrix products read bfloat16. The proxy
            head is fitted in float32 whatever it is.
        require_convergence: whether a proxy head that is no better than at its start or than the mean is an error.
        device: where the proxy head and the kernel are computed.

    Raises:
        ConfigError: a value that is none of the choices, or a number out of range.
    """

    kernel: str = "ntk"
    arrangement: str = "per_roi"
    output: str = "sum"
    standardise: bool = True
    steps: int = 200
    learning_rate: float = 1e-3
    batch_size: int = 512
    rank: int | None = None
    normalise: bool = True
    precision: str = "float32"
    require_convergence: bool = True
    device: str = "cpu"

    def __post_init__(self) -> None:
        for key, choices in CHOICES.items():
            if getattr(self, key) not in choices:
                raise ConfigError(f"acquisition.{key}: {getattr(self, key)!r} is none of {', '.join(choices)}")
        for key in (*COUNTS, "learning_rate"):
            value, kind = getattr(self, key), int if key in COUNTS else (int, float)
            fits = isinstance(value, kind) and not isinstance(value, bool) and value > 0
            if not fits and not (key == "rank" and value is None):
                what = "a whole number" if key in COUNTS else "a number (written like 0.001)"
                raise ConfigError(f"acquisition.{key}: expected {what} above zero, got {value!r}")
        for key in FLAGS:
            if not isinstance(getattr(self, key), bool):
                raise ConfigError(f"acquisition.{key}: expected true or false, got {getattr(self, key)!r}")
        try:
            torch.device(self.device)
        except (RuntimeError, TypeError) as error:
            raise ConfigError(f"acquisition.device: {self.device!r} is no device: {error}") from error


def frame_kernel(
    pool: FrameSet, labelled: FrameSet, options: KernelOptions, generator: torch.Generator
) -> tuple[ObservedKernel, ProxyFit | None]:
    """The kernel between the pool and the labelled frames, and how the fit of its proxy head went, if it has one.

    Args:
        pool: frames with ``roi_features`` and ``roi_mask``, or ``embedding``.
        labelled: the same, and for a proxy head ``targets`` (L, R, T), or (L, T) with embeddings.
        generator: a CPU generator; draws the head's initial weights, the batches and the projection.

    Raises:
        SelectionError: features or targets are missing, misshapen or not finite; the proxy head diverged or learned
            nothing.
    """
    if not len(labelled):
        raise SelectionError("no frame is labelled: there is nothing to compare the pool with")
    arrangement, device = options.arrangement, options.device
    raw = RoiFrames(labelled, arrangement, device=device)
    raw.check()
    scaling = raw.statistics() if options.standardise else None
    fit = None
    if options.kernel in ("ntk", "last_layer"):
        fit = _fit(RoiFrames(labelled, arrangement, scaling, device=device), labelled, options, generator)
    dtype = torch.float64 if options.precision == "float64" else torch.float32
    known, unknown = (RoiFrames(f, arrangement, scaling, dtype, device) for f in (labelled, pool))
    if known.width != unknown.width:
        raise SelectionError(f"features of labelled frames have {known.width} inputs, of the pool {unknown.width}")
    head = fit and fit.head.to(dtype)
    kernel = build_kernel(options.kernel, known, head, options.output, options.rank, generator)
    return ObservedKernel(kernel, unknown, known, options.precision, options.normalise), fit


def frame_targets(labelled: FrameSet) -> np.ndarray | None:
    """(L, T) float64 mean target of each labelled frame's RoIs, weighted as the kernel weighs them; None without any.

    A frame without RoIs has zeros.

    Raises:
        SelectionError: the shape does not fit the features, or a target of a valid RoI is not finite.
    """
    if "targets" not in labelled.feats:
        return None
    frames = RoiFrames(labelled, dtype=torch.float64)
    targets = per_roi_targets(frames, labelled.feats["targets"])
    weights = frames.weights(np.arange(len(labelled)))
    return (weights[..., None] * np.where(frames.mask[..., None], targets, 0.0)).sum(1)


def _fit(known: RoiFrames, labelled: FrameSet, options: KernelOptions, generator: torch.Generator) -> ProxyFit:
    if "targets" not in labelled.feats:
        raise SelectionError(
            f"kernel {options.kernel!r} needs feats['targets'] of the labelled frames to fit its proxy head"
        )
    inputs, targets, mask = training_pairs(known, labelled.feats["targets"])
    if options.require_convergence and len(inputs) > 1 and not (inputs != inputs[0]).any():
        raise SelectionError(
            "the features of the labelled frames are all the same: the detector has learned nothing that tells them "
            "apart; train it longer, or on more frames"
        )
    fit = fit_proxy(
        inputs,
        targets,
        mask,
        generator,
        standardise=options.standardise,
        steps=options.steps,
        learning_rate=options.learning_rate,
        batch_size=options.batch_size,
    )
    if options.require_convergence and not fit.converged:
        near = fit.loss_last < min(fit.loss_first, 2 * fit.loss_mean)
        what = "learned nothing" if near else "diverged"
        cure = "standardise, raise steps, or check the targets" if near else "lower learning_rate or standardise"
        raise SelectionError(
            f"the proxy head {what}: loss {fit.loss_first:.4g} before the fit, {fit.loss_last:.4g} after "
            f"{len(fit.losses)} steps, {fit.loss_mean:.4g} for the mean target; {cure}"
        )
    return fit
