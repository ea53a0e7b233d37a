"""Build the kernel between a pool and the labelled frames: standardise features, fit the proxy head, evaluate."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from kecor.errors import ConfigError, SelectionError
from kecor.ntk.kernels import KERNELS, build_kernel
from kecor.ntk.pool_kernel import PoolKernel
from kecor.ntk.proxy import ProxyFit, fit_proxy
from kecor.ntk.roi_frames import RoiFrames
from kecor.ntk.targets import per_roi_targets, training_pairs
from kecor.structures import FrameSet

CHOICES = {
    "type": KERNELS,
    "arrangement": ("per_roi", "flatten"),
    "output": ("sum", "full"),
    "precision": ("float32", "bfloat16", "float64"),
}
COUNTS = ("steps", "batch_size", "rank")
FLAGS = ("standardise", "normalise", "require_convergence")


@dataclass(frozen=True)
class KernelOptions:
    """Settings of the kernel between frames: the section ``acquisition.kernel`` of a config.

    Attributes:
        type: ``ntk`` (empirical neural tangent kernel of a proxy head fitted on the labelled frames); ``last_layer``
            (its last layer alone); or ``linear``, ``rbf``, ``laplace`` on mean RoI features, without a proxy head.
        arrangement: ``per_roi``: the head maps one RoI, and a frame is the score-weighted mean over its RoIs.
            ``flatten``: the head maps the concatenated RoIs of a frame.
        output: ``sum``: gradient of the summed outputs. ``full``: gradients of all outputs; the cost grows with their
            number.
        standardise: standardise the head's inputs and targets with the statistics of the labelled RoIs.
        steps, learning_rate, batch_size: of the Adam optimiser that fits the proxy head. With 100 labelled frames the
            error on held-out frames was lowest after 100 to 300 steps; after 1,000 steps it exceeded that of a constant
            prediction.
        rank: dimension of a random projection of the ``ntk``'s gradients; None for the exact kernel.
        normalise: scale each frame's gradient to unit length. The length grows with the number of objects, so without
            this option large frames are preferred however similar they are to labelled ones.
        precision: ``float32``, ``float64``, or ``bfloat16`` (float32 with bfloat16 inputs to matrix products). The
            proxy head is always fitted in float32.
        require_convergence: raise an error if the fitted head is no better than its initial weights or a constant
            prediction.
        device: torch device of the proxy head and the kernel.

    Raises:
        ConfigError: a value is not one of the choices, or a number is out of range.
    """

    type: str = "ntk"
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

    @classmethod
    def of(cls, kernel: str | Mapping[str, Any], **defaults: Any) -> KernelOptions:
        """The options a method's argument ``kernel`` describes.

        Args:
            kernel: attributes by name, or the ``type`` alone.
            defaults: attributes whose default differs for the method.

        Raises:
            ConfigError: an attribute is unknown or wrong.
        """
        section = {"type": kernel} if isinstance(kernel, str) else kernel
        if not isinstance(section, Mapping):
            raise ConfigError(f"acquisition.kernel: got {kernel!r}; expected a section of keys")
        names = [field.name for field in dataclasses.fields(cls)]
        for key in section:
            if key not in names:
                near = difflib.get_close_matches(str(key), names, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"expected one of: {', '.join(names)}"
                raise ConfigError(f"acquisition.kernel.{key}: unknown key; {hint}")
        return cls(**{**defaults, **section})

    def __post_init__(self) -> None:
        for key, choices in CHOICES.items():
            self._require(key, getattr(self, key) in choices, f"one of: {', '.join(choices)}")
        for key in (*COUNTS, "learning_rate"):
            value, kind = getattr(self, key), int if key in COUNTS else (int, float)
            fits = isinstance(value, kind) and not isinstance(value, bool) and value > 0
            wanted = "an integer above zero" if key in COUNTS else "a number above zero, such as 0.001"
            self._require(key, fits or (key == "rank" and value is None), wanted)
        for key in FLAGS:
            self._require(key, isinstance(getattr(self, key), bool), "true or false")
        try:
            torch.device(self.device)
        except (RuntimeError, TypeError) as error:
            raise ConfigError(
                f"acquisition.kernel.device: got {self.device!r}; expected a torch device: {error}"
            ) from error

    def _require(self, key: str, fits: bool, wanted: str) -> None:
        if not fits:
            raise ConfigError(f"acquisition.kernel.{key}: got {getattr(self, key)!r}; expected {wanted}")


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
