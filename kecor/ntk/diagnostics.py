"""What a round reports about its kernel and its proxy head. The formulas are in :mod:`kecor.ntk.alignment`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from kecor.ntk.alignment import (
    centred,
    centred_alignment,
    effective_dimension,
    kernel_target_alignment,
    label_gradient_alignment,
    leading_alignment,
    spectrum,
    standardised,
    symmetric,
)
from kecor.ntk.proxy import ProxyFit

N_EIGENVALUES = 32
N_LEADING = 8
N_PROBE = 64
"""Number of labelled frames whose kernel is kept for comparison with the next round."""
N_LOSSES = 50
"""Number of points kept of the proxy head's loss curve."""
TERMS = {
    "proxy_loss_first": ("Proxy loss before the fit", "mean squared error of the proxy head with its initial weights"),
    "proxy_loss_last": ("Proxy loss after the fit", "the same after the last step; it should be lower"),
    "proxy_loss_mean": (
        "Proxy loss of a constant",
        "error of always predicting the mean target; the fitted head should be below it",
    ),
    "proxy_losses": ("Proxy loss during the fit", "mean squared error of single batches, first step to last"),
    "kernel_scale": (
        "Kernel scale",
        "mean kernel value of a labelled frame with itself; the kernel is divided by it",
    ),
    "diagnostics": ("Kernel", ""),
    "eigenvalues": ("eigenvalue shares", "share of each direction in the variance of the labelled frames"),
    "largest_eigenvalue": ("largest eigenvalue", "variance along the strongest direction; the sum is one per frame"),
    "effective_dimension": ("effective dimension", "number of directions above the noise, at most one per frame"),
    "target_alignment": (
        "target alignment",
        "1 if frames with similar kernel values contain similar objects, 0 if the two are unrelated",
    ),
    "label_gradient_alignment": (
        "label-gradient alignment",
        "target alignment without centring; lower if some frames are similar to all others",
    ),
    "leading_alignment": (
        "targets in leading directions",
        "share of the targets explained by the first 1, 2, ... directions of the kernel",
    ),
    "variance_before": ("posterior variance before", "mean over unlabelled frames, given the labelled frames"),
    "variance_after": (
        "posterior variance after",
        "mean over frames left in the pool, given the labelled frames and the picks",
    ),
    "drift": ("change since the last round", "0 if the kernel compares the same frames as before, 1 if unrelated"),
}
"""Key of a reported value -> its name and its meaning."""


def diagnose(
    gram: np.ndarray,
    ids: Sequence[str],
    targets: np.ndarray | None,
    noise: float,
    variance_before: np.ndarray,
    variance_after: np.ndarray,
) -> dict[str, Any]:
    """The diagnostics of one round, finite and JSON-serialisable; undefined ones are left out.

    Args:
        gram: (L, L) kernel of the labelled frames, scaled to a mean diagonal of 1.
        ids: (L,) their ids in the order of purchase, so that the probe contains the same frames in every round.
        targets: (L, T), one row per frame, or None. Alignments are reported only for targets that vary.
        noise: sigma^2.
        variance_before: (U,) posterior variance ``k(u, u) - k_u^T (K + noise I)^-1 k_u`` of pool frames given the
            labelled frames (Rasmussen and Williams, "Gaussian processes for machine learning", 2006, equation 2.26).
        variance_after: (U,) the same given the picks too. Its mean over the pool is what Cohn, Ghahramani and Jordan,
            "Active learning with statistical models", JAIR 1996, minimise.

    Returns:
        ``eigenvalues`` (the largest :data:`N_EIGENVALUES`, as shares of their sum), ``largest_eigenvalue``,
        ``effective_dimension``, ``target_alignment``, ``label_gradient_alignment``, ``leading_alignment`` (the first
        :data:`N_LEADING`), ``variance_before`` and ``variance_after`` (means), and ``probe``: ``ids`` and ``gram`` (6
        significant digits) of the first :data:`N_PROBE` frames, for :func:`kernel_drift` in the next round.
    """
    gram = symmetric(gram)
    values = spectrum(gram)
    total = values.sum()
    found: dict[str, Any] = {
        "eigenvalues": (values / total if total > 0 else values)[:N_EIGENVALUES].tolist(),
        "largest_eigenvalue": float(values.max(initial=0.0)),
        "effective_dimension": effective_dimension(values, noise),
    }
    if targets is not None and standardised(targets).any():
        found |= {
            "target_alignment": kernel_target_alignment(gram, targets),
            "label_gradient_alignment": label_gradient_alignment(gram, targets),
            "leading_alignment": leading_alignment(gram, targets, min(N_LEADING, len(gram))).tolist(),
        }
    for name, variance in (("variance_before", variance_before), ("variance_after", variance_after)):
        if len(variance):
            found[name] = float(np.mean(variance))
    probe = [[float(f"{value:.6g}") for value in row] for row in gram[:N_PROBE, :N_PROBE].tolist()]
    return found | {"probe": {"ids": [str(name) for name in ids[:N_PROBE]], "gram": probe}}


def kernel_drift(before: Mapping[str, Any], after: Mapping[str, Any]) -> float | None:
    """``1 - CKA`` of the kernels of two rounds on the frames that both probes contain: 0 if they are the same.

    The kernel distance of Fort et al., "Deep learning versus kernel learning", NeurIPS 2020, with centred kernels.

    Args:
        before, after: the results of :func:`diagnose` in both rounds.

    Returns:
        None if a probe is missing, the probes share fewer than 3 frames, or a kernel is constant on them.
    """
    if "probe" not in before or "probe" not in after:
        return None
    places = [{name: i for i, name in enumerate(side["probe"]["ids"])} for side in (before, after)]
    shared = [name for name in places[0] if name in places[1]]
    if len(shared) < 3:
        return None
    rows = [[place[name] for name in shared] for place in places]
    a, b = (np.asarray(side["probe"]["gram"])[np.ix_(r, r)] for side, r in zip((before, after), np.array(rows)))
    if not (centred(a).any() and centred(b).any()):
        return None
    return max(0.0, 1.0 - centred_alignment(a, b))


def fit_info(fit: ProxyFit | None) -> dict[str, Any]:
    """The losses of a proxy head's fit, JSON-serialisable; empty for a kernel without one."""
    if fit is None:
        return {}
    losses = {"first": fit.loss_first, "last": fit.loss_last, "mean": fit.loss_mean}
    info: dict[str, Any] = {f"proxy_loss_{name}": _finite_or_none(value) for name, value in losses.items()}
    every = -(-len(fit.losses) // N_LOSSES)
    return info | {"proxy_losses": [_finite_or_none(value) for value in fit.losses[::every]]}


def _finite_or_none(value: float) -> float | None:
    return value if np.isfinite(value) else None
