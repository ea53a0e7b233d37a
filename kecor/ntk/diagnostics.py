"""What a kernel says about itself, about the targets, about the round before and about the pool.

Pure functions of float64 arrays. ``L`` frames are labelled; ``gram`` (L, L) is their symmetric positive semi-definite
kernel, ``targets`` (L, T) one row of real values a frame. Where targets are compared with a kernel, each column is
centred and scaled to unit variance first, so that metres and class scores weigh alike; a column that does not vary
counts nothing. Where a quantity is undefined (no frame, a constant kernel or constant targets) it is 0 rather than NaN,
unless said otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.linalg import eigh, eigvalsh

from kecor.ntk.proxy import ProxyFit

N_EIGENVALUES = 32
N_LEADING = 8
N_PROBE = 64
ROUNDING = 1e-12
"""Values below this share of what they were computed from count as rounding of zero."""
N_LOSSES = 50
"""Points of the proxy head's loss curve that are kept."""
TERMS = {
    "proxy_loss_first": ("Proxy loss before the fit", "mean squared error of the proxy head with its initial weights"),
    "proxy_loss_last": ("Proxy loss after the fit", "the same at the end; it must have fallen"),
    "proxy_loss_mean": ("Proxy loss of a constant", "error of always predicting the mean target; the fit must beat it"),
    "proxy_losses": ("Proxy loss during the fit", "losses of single batches, from the first step to the last"),
    "kernel_scale": ("Kernel scale", "mean kernel value of a labelled frame with itself before it is scaled to 1"),
    "diagnostics": ("Kernel", ""),
    "eigenvalues": ("eigenvalue shares", "how the variance of the labelled frames spreads over directions"),
    "largest_eigenvalue": ("largest eigenvalue", "strength of the strongest direction; a frame has mean weight 1"),
    "effective_dimension": ("effective dimension", "directions above the noise; at most the number of labelled frames"),
    "target_alignment": ("target alignment", "whether similar frames hold similar objects: 1 fully, 0 not at all"),
    "label_gradient_alignment": (
        "label-gradient alignment",
        "the same without centring rows: lower where some frames resemble all others",
    ),
    "leading_alignment": (
        "targets in leading directions",
        "share of the targets in the first 1, 2, ... directions",
    ),
    "variance_before": ("posterior variance before", "mean over pool frames, given the labelled frames"),
    "variance_after": ("posterior variance after", "mean over frames left in the pool, given the picks too"),
    "drift": ("change since the last round", "0: the kernel compares the same frames as before; 1: nothing in common"),
}
"""Key of what this module reports -> its name and what it means."""


def spectrum(gram: np.ndarray) -> np.ndarray:
    """(L, L) -> (L,) eigenvalues, largest first; negative ones and those within rounding of 0 are 0.

    Under gradient descent the error along an eigenvector shrinks at the rate of its eigenvalue, the largest of which
    bounds the stable step (Jacot, Gabriel and Hongler, "Neural tangent kernel", NeurIPS 2018).
    """
    values = eigvalsh(_symmetric(gram)) if len(gram) else np.zeros(0)
    return np.where(values > ROUNDING * values.max(initial=0.0), values, 0.0)[::-1]


def effective_dimension(gram: np.ndarray, noise: float) -> float:
    """``tr K (K + noise I)^-1 = sum_i v_i / (v_i + noise)``, between 0 and L: the directions that rise above the noise.

    The trace of kernel ridge regression's hat matrix, its degrees of freedom (Hastie, Tibshirani and Friedman, "The
    elements of statistical learning", section 5.4.1; Zhang, "Learning bounds for kernel regression using effective data
    dimensionality", Neural Computation 2005; Caponnetto and De Vito, "Optimal rates for the regularized least-squares
    algorithm", FoCM 2007, where ``noise`` is L times their lambda).

    Args:
        gram: (L, L).
        noise: variance of the noise, sigma^2, above zero.
    """
    return _dimension(spectrum(gram), noise)


def kernel_target_alignment(gram: np.ndarray, targets: np.ndarray) -> float:
    """``<HKH, ZZ'> / (|HKH| |ZZ'|)``, Frobenius, in [0, 1]: 1 where the kernel is the targets' own.

    H = I - 11'/L centres the kernel in its feature space; Z (L, T) are the standardised targets. Cristianini et al.,
    "On kernel-target alignment", NeurIPS 2001, centred by Cortes, Mohri and Rostamizadeh, "Algorithms for learning
    kernels based on centered alignment", JMLR 2012.
    """
    scaled = _standardised(targets)
    return centred_alignment(gram, scaled @ scaled.T)


def label_gradient_alignment(gram: np.ndarray, targets: np.ndarray) -> float:
    """Correlation of the L x L entries of the kernel with those of ``ZZ'``: ``<K - m(K), ZZ'> / (|K - m(K)| |ZZ'|)``.

    m is the mean of all entries. Mok et al., "Demystifying the neural tangent kernel from a practical perspective",
    CVPR 2022, whose matrix of labels has one value for two frames of a class and another for two of different classes;
    ``ZZ'`` is that matrix, up to the scale and shift that do not matter here, where targets are one-hot and classes of
    equal size, and extends it to real targets. Differs from :func:`kernel_target_alignment` in that one number is
    subtracted rather than the means of rows and columns: a kernel that is larger for some frames with all the others
    is not forgiven for it, so that the value is never the larger of the two.
    """
    gram, scaled = _symmetric(gram), _standardised(targets)
    return _cosine(_unless_rounding(gram - gram.mean(), gram) if len(gram) else gram, scaled @ scaled.T)


def leading_alignment(gram: np.ndarray, targets: np.ndarray, k: int) -> np.ndarray:
    """(k,) share of the standardised targets' energy within the leading 1, 2 ... k eigenvectors of the centred kernel.

    ``sum_{i <= j} |u_i' Z|^2 / |Z|^2`` for j = 1 ... k; eigenvectors without an eigenvalue hold nothing, so that the
    last share tells what the kernel can express at all. Targets that lie in the leading eigenvectors are learned fast
    and generalise (Arora et al., "Fine-grained analysis of optimization and generalization for overparameterized
    two-layer neural networks", ICML 2019; Braun, Buhmann and Mueller, "On relevant dimensions in kernel feature
    spaces", JMLR 2008; Baratin et al., "Implicit regularization via neural feature alignment", AISTATS 2021).
    """
    scaled = _standardised(targets)
    energy, n = np.square(scaled).sum(), min(k, len(scaled))
    if n == 0 or energy == 0:
        return np.zeros(k)
    values, vectors = eigh(_centred(gram), subset_by_index=(len(scaled) - n, len(scaled) - 1))
    real = values > ROUNDING * np.linalg.norm(gram)
    shares = np.square(vectors.T @ scaled).sum(1) * real / energy
    cumulative = np.minimum(np.cumsum(shares[::-1]), 1.0)
    return np.pad(cumulative, (0, k - n), mode="edge")


def centred_alignment(a: np.ndarray, b: np.ndarray) -> float:
    """``<HaH, HbH> / (|HaH| |HbH|)`` of two kernels (L, L) of the same frames, in [0, 1].

    Unchanged by scaling either kernel and by rotating or shifting the features behind it. Centred kernel alignment
    (CKA): Kornblith et al., "Similarity of neural network representations revisited", ICML 2019; Cortes et al. 2012.
    """
    return _cosine(_centred(a), _centred(b))


def kernel_drift(before: Mapping[str, Any], after: Mapping[str, Any]) -> float | None:
    """1 - :func:`centred_alignment` of two rounds' kernels on the frames of both probes: 0 for the same kernel.

    The kernel distance of Fort et al., "Deep learning versus kernel learning", NeurIPS 2020, centred.

    Args:
        before, after: what :func:`diagnose` gave in either round.

    Returns:
        None where a probe is missing, they share fewer than 3 frames, or a kernel takes all of these for one frame.
    """
    if "probe" not in before or "probe" not in after:
        return None
    places = [{name: i for i, name in enumerate(side["probe"]["ids"])} for side in (before, after)]
    shared = [name for name in places[0] if name in places[1]]
    if len(shared) < 3:
        return None
    rows = [[place[name] for name in shared] for place in places]
    grams = [_centred(np.asarray(side["probe"]["gram"])[np.ix_(r, r)]) for side, r in zip((before, after), rows)]
    return max(0.0, 1.0 - _cosine(*grams)) if all(gram.any() for gram in grams) else None


def mean_variance(variance: np.ndarray) -> float | None:
    """(U,) posterior variances ``k(u, u) - k_u' (K + noise I)^-1 k_u`` of pool frames -> their mean; None of none.

    The variance is Rasmussen and Williams', "Gaussian processes for machine learning", 2006, equation 2.26; its mean
    over the pool is what Cohn, Ghahramani and Jordan, "Active learning with statistical models", JAIR 1996, minimise.
    """
    return float(np.mean(variance)) if len(variance) else None


def diagnose(
    gram: np.ndarray,
    ids: Sequence[str],
    targets: np.ndarray | None,
    noise: float,
    variance_before: np.ndarray,
    variance_after: np.ndarray,
) -> dict[str, Any]:
    """All of the above for one round, finite and ready for JSON; what cannot be told is left out.

    Args:
        gram: (L, L) kernel of the labelled frames, scaled to a mean diagonal of 1.
        ids: (L,) their ids, in the order they were bought, so that the probe holds the same frames in every round.
        targets: (L, T), one row a frame, or None for a kernel without a proxy head. No alignment is told without
            targets that vary.
        noise: sigma^2.
        variance_before: (U,) posterior variance of the pool's frames given the labelled ones.
        variance_after: (U,) the same, given the picks too.

    Returns:
        ``eigenvalues`` (the first :data:`N_EIGENVALUES`, as shares of their sum), ``largest_eigenvalue`` (itself),
        ``effective_dimension``, ``target_alignment``, ``label_gradient_alignment``, ``leading_alignment`` (the first
        :data:`N_LEADING`), ``variance_before`` and ``variance_after`` (means), and ``probe``: ``ids`` of the first
        :data:`N_PROBE` frames and their ``gram`` to 6 significant digits, for :func:`kernel_drift` in the next round.
    """
    gram = _symmetric(gram)
    values = spectrum(gram)
    total = values.sum()
    found: dict[str, Any] = {
        "eigenvalues": (values / total if total > 0 else values)[:N_EIGENVALUES].tolist(),
        "largest_eigenvalue": float(values.max(initial=0.0)),
        "effective_dimension": _dimension(values, noise),
    }
    if targets is not None and _standardised(targets).any():
        found |= {
            "target_alignment": kernel_target_alignment(gram, targets),
            "label_gradient_alignment": label_gradient_alignment(gram, targets),
            "leading_alignment": leading_alignment(gram, targets, min(N_LEADING, len(gram))).tolist(),
        }
    means = {"variance_before": mean_variance(variance_before), "variance_after": mean_variance(variance_after)}
    found |= {name: mean for name, mean in means.items() if mean is not None}
    probe = [[float(f"{value:.6g}") for value in row] for row in gram[:N_PROBE, :N_PROBE].tolist()]
    return found | {"probe": {"ids": [str(name) for name in ids[:N_PROBE]], "gram": probe}}


def _dimension(values: np.ndarray, noise: float) -> float:
    return float((values / (values + noise)).sum())


def _symmetric(gram: np.ndarray) -> np.ndarray:
    gram = np.asarray(gram, np.float64)
    return (gram + gram.T) / 2


def _centred(gram: np.ndarray) -> np.ndarray:
    """``HKH``; zero throughout for a constant kernel."""
    gram = _symmetric(gram)
    if not len(gram):
        return gram
    means = gram.mean(0)
    return _unless_rounding(gram - means - means[:, None] + means.mean(), gram)


def _standardised(targets: np.ndarray) -> np.ndarray:
    """(L, T) columns of zero mean and unit variance; zero for a column that does not vary."""
    targets = np.asarray(targets, np.float64)
    if not len(targets):
        return targets
    centred = targets - targets.mean(0)
    spread = centred.std(0)
    varies = spread > ROUNDING * np.abs(targets).max(0)
    return np.where(varies, centred / np.where(varies, spread, 1.0), 0.0)


def _unless_rounding(difference: np.ndarray, of: np.ndarray) -> np.ndarray:
    return difference if np.linalg.norm(difference) > ROUNDING * np.linalg.norm(of) else np.zeros_like(difference)


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    norms = np.linalg.norm(a) * np.linalg.norm(b)
    return float(np.clip((a * b).sum() / norms, -1.0, 1.0)) if norms > 0 else 0.0


def fit_info(fit: ProxyFit | None) -> dict[str, Any]:
    """How the fit of a proxy head went, ready for JSON; empty where the kernel has none."""
    if fit is None:
        return {}
    losses = {"first": fit.loss_first, "last": fit.loss_last, "mean": fit.loss_mean}
    info: dict[str, Any] = {f"proxy_loss_{name}": _finite(value) for name, value in losses.items()}
    return info | {"proxy_losses": [_finite(value) for value in fit.losses[:: -(-len(fit.losses) // N_LOSSES)]]}


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
