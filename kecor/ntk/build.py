"""Build the kernel between a pool and the labelled frames: standardise features, fit the proxy head, evaluate."""

from __future__ import annotations

import numpy as np
import torch

from kecor.errors import SelectionError
from kecor.ntk.kernels import build_kernel
from kecor.ntk.options import KernelOptions
from kecor.ntk.pool_kernel import PoolKernel
from kecor.ntk.proxy import ProxyFit, fit_proxy
from kecor.ntk.roi_frames import RoiFrames
from kecor.ntk.targets import per_roi_targets, training_pairs
from kecor.structures import FrameSet


def frame_kernel(
    pool: FrameSet, labelled: FrameSet, options: KernelOptions, generator: torch.Generator
) -> tuple[PoolKernel, ProxyFit | None]:
    """Build the kernel between the pool and the labelled frames.

    Args:
        pool: frames with ``roi_features`` and ``roi_mask``, or ``embedding``.
        labelled: the same; a proxy head also needs ``targets`` (L, R, T), or (L, T) with embeddings.
        options: the settings.
        generator: a CPU generator; draws the head's initial weights, the batches and the projection.

    Returns:
        The kernel, and the fitted proxy head (None for a kernel without one).

    Raises:
        SelectionError: features or targets are missing, have a wrong shape or are not finite, or the proxy head
            diverged or learned nothing.
    """
    if not len(labelled):
        raise SelectionError("no frame is labelled; the kernel needs at least one labelled frame")
    arrangement, device = options.arrangement, options.device
    raw = RoiFrames(labelled, arrangement, device=device)
    raw.check()
    scaling = raw.statistics() if options.standardise else None
    fit = None
    if options.type in ("ntk", "last_layer"):
        fit = _fit_head(RoiFrames(labelled, arrangement, scaling, device=device), labelled, options, generator)
    dtype = torch.float64 if options.precision == "float64" else torch.float32
    known, unknown = (RoiFrames(f, arrangement, scaling, dtype, device) for f in (labelled, pool))
    if known.width != unknown.width:
        raise SelectionError(
            f"the labelled frames have {known.width} feature values, the pool's frames {unknown.width}; run the same "
            "detector over both"
        )
    head = fit.head.to(dtype) if fit else None
    kernel = build_kernel(options.type, known, head, options.output, options.rank, generator)
    return PoolKernel(kernel, unknown, known, options.precision, options.normalise), fit


def frame_targets(labelled: FrameSet) -> np.ndarray | None:
    """(L, T) float64 score-weighted mean target of each labelled frame's RoIs, or None if the set has no targets.

    A frame without RoIs gets zeros.

    Raises:
        SelectionError: the shape does not match the features, or a target of a valid RoI is not finite.
    """
    if "targets" not in labelled.feats:
        return None
    frames = RoiFrames(labelled, dtype=torch.float64)
    targets = per_roi_targets(frames, labelled.feats["targets"])
    weights = frames.weights(np.arange(len(labelled)))
    return (weights[..., None] * np.where(frames.mask[..., None], targets, 0.0)).sum(1)


def _fit_head(known: RoiFrames, labelled: FrameSet, options: KernelOptions, generator: torch.Generator) -> ProxyFit:
    if "targets" not in labelled.feats:
        raise SelectionError(
            f"kernel {options.type!r} needs feats['targets'] of the labelled frames to fit its proxy head"
        )
    inputs, targets, mask = training_pairs(known, labelled.feats["targets"])
    if options.require_convergence and len(inputs) > 1 and not (inputs != inputs[0]).any():
        raise SelectionError("all labelled frames have the same features; train the detector longer, or on more frames")
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
    if options.require_convergence:
        _check_convergence(fit)
    return fit


def _check_convergence(fit: ProxyFit) -> None:
    if fit.converged:
        return
    diverged = not fit.loss_last < min(fit.loss_first, 2 * fit.loss_mean)  # also true for NaN
    problem = "diverged" if diverged else "learned nothing"
    advice = "lower learning_rate or standardise" if diverged else "standardise, raise steps, or check the targets"
    raise SelectionError(
        f"the proxy head {problem}: loss {fit.loss_first:.4g} before the fit, {fit.loss_last:.4g} after "
        f"{len(fit.losses)} steps, {fit.loss_mean:.4g} for a constant prediction; {advice}"
    )
