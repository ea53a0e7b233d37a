"""Measures of a kernel: its spectrum, and its alignment with targets or with another kernel.

Pure functions of float64 arrays: ``gram`` (L, L), symmetric positive semi-definite, and ``targets`` (L, T). Where
targets are compared with a kernel, their columns are standardised to Z first, so that metres and class scores weigh
alike; constant columns become 0. ``H = I - 11^T / L`` centres a kernel. Undefined values (no frame, a constant kernel,
constant targets) are 0, not NaN.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import eigh, eigvalsh

ROUNDING = 1e-12
"""Values below this share of the quantities they were computed from count as 0."""


def spectrum(gram: np.ndarray) -> np.ndarray:
    """(L,) eigenvalues of ``gram`` in descending order; negative values and values within rounding error are set to 0.

    Under gradient descent the error along an eigenvector decays at the rate of its eigenvalue, and the largest one
    bounds the stable step size (Jacot, Gabriel and Hongler, "Neural tangent kernel", NeurIPS 2018).
    """
    values = eigvalsh(symmetric(gram)) if len(gram) else np.zeros(0)
    return np.where(values > ROUNDING * values.max(initial=0.0), values, 0.0)[::-1]


def effective_dimension(eigenvalues: np.ndarray, noise: float) -> float:
    """``tr K (K + noise I)^-1 = sum_i v_i / (v_i + noise)``: the number of directions above the noise, from 0 to L.

    These are the degrees of freedom of kernel ridge regression (Hastie, Tibshirani and Friedman, "The elements of
    statistical learning", section 5.4.1; Zhang, Neural Computation 2005; Caponnetto and De Vito, FoCM 2007, with
    ``noise`` = L times their lambda).

    Args:
        eigenvalues: (L,) the :func:`spectrum`.
        noise: variance of the noise, sigma^2, above 0.
    """
    return float((eigenvalues / (eigenvalues + noise)).sum())


def kernel_target_alignment(gram: np.ndarray, targets: np.ndarray) -> float:
    """``<HKH, ZZ^T> / (|HKH| |ZZ^T|)`` (Frobenius), in [0, 1]; 1 if the kernel is that of the targets.

    Cristianini et al., "On kernel-target alignment", NeurIPS 2001, centred as by Cortes, Mohri and Rostamizadeh,
    "Algorithms for learning kernels based on centered alignment", JMLR 2012.
    """
    scaled = standardised(targets)
    return centred_alignment(gram, scaled @ scaled.T)


def label_gradient_alignment(gram: np.ndarray, targets: np.ndarray) -> float:
    """``<K - m, ZZ^T> / (|K - m| |ZZ^T|)`` with the mean entry m of K: the correlation of the entries of both matrices.

    Mok et al., "Demystifying the neural tangent kernel from a practical perspective", CVPR 2022. Their label matrix has
    one value for frames of the same class and another for different classes; for one-hot targets and balanced classes
    ``ZZ^T`` equals it up to scale and shift, and it extends to real targets. In contrast to
    :func:`kernel_target_alignment` the means of rows are not removed, so a kernel that is large between some frames and
    all others scores lower. The value is never above the centred alignment.
    """
    gram, scaled = symmetric(gram), standardised(targets)
    return _cosine(_zero_if_rounding(gram - gram.mean(), gram) if len(gram) else gram, scaled @ scaled.T)


def leading_alignment(gram: np.ndarray, targets: np.ndarray, k: int) -> np.ndarray:
    """(k,) ``sum_{i <= j} |u_i^T Z|^2 / |Z|^2`` for j = 1..k: share of the targets in the leading eigenvectors of HKH.

    Eigenvectors with eigenvalue 0 contribute nothing, so the last share says how much of the targets the kernel can
    express. Targets in leading eigenvectors are learned fast and generalise (Arora et al., ICML 2019; Braun, Buhmann
    and Mueller, "On relevant dimensions in kernel feature spaces", JMLR 2008; Baratin et al., AISTATS 2021).
    """
    scaled = standardised(targets)
    energy, n = np.square(scaled).sum(), min(k, len(scaled))
    if n == 0 or energy == 0:
        return np.zeros(k)
    values, vectors = eigh(centred(gram), subset_by_index=(len(scaled) - n, len(scaled) - 1))
    nonzero = values > ROUNDING * np.linalg.norm(gram)
    shares = np.square(vectors.T @ scaled).sum(1) * nonzero / energy
    cumulative = np.minimum(np.cumsum(shares[::-1]), 1.0)
    return np.pad(cumulative, (0, k - n), mode="edge")


def centred_alignment(a: np.ndarray, b: np.ndarray) -> float:
    """``<HaH, HbH> / (|HaH| |HbH|)`` of two kernels (L, L) on the same frames, in [0, 1].

    Centred kernel alignment (CKA): Kornblith et al., "Similarity of neural network representations revisited", ICML
    2019; Cortes et al. 2012. Invariant to the scale of each kernel and to rotations and shifts of its features.
    """
    return _cosine(centred(a), centred(b))


def symmetric(gram: np.ndarray) -> np.ndarray:
    """``(K + K^T) / 2`` as float64."""
    gram = np.asarray(gram, np.float64)
    return (gram + gram.T) / 2


def centred(gram: np.ndarray) -> np.ndarray:
    """``HKH``; exactly 0 for a constant kernel."""
    gram = symmetric(gram)
    if not len(gram):
        return gram
    means = gram.mean(0)
    return _zero_if_rounding(gram - means - means[:, None] + means.mean(), gram)


def standardised(targets: np.ndarray) -> np.ndarray:
    """(L, T) columns with zero mean and unit variance; constant columns become 0."""
    targets = np.asarray(targets, np.float64)
    if not len(targets):
        return targets
    deviation = targets - targets.mean(0)
    spread = deviation.std(0)
    varies = spread > ROUNDING * np.abs(targets).max(0)
    return np.where(varies, deviation / np.where(varies, spread, 1.0), 0.0)


def _zero_if_rounding(difference: np.ndarray, of: np.ndarray) -> np.ndarray:
    return difference if np.linalg.norm(difference) > ROUNDING * np.linalg.norm(of) else np.zeros_like(difference)


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
    norms = np.linalg.norm(a) * np.linalg.norm(b)
    return float(np.clip((a * b).sum() / norms, -1.0, 1.0)) if norms > 0 else 0.0
