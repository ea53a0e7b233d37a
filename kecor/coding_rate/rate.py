"""The coding rate of a set of vectors.

``R_eps(S) = 1/2 log det(I + d / (n eps^2) K_S)`` is the number of nats needed to encode n vectors of dimension d up to
an error eps (Ma, Derksen, Hong and Wright, "Segmentation of multivariate mixed data via lossy data coding and
compression", PAMI 2007). By Sylvester's identity the (n, n) Gram matrix K_S and the (d, d) matrix
``sum_i x_i x_i^T`` give the same determinant.
"""

from __future__ import annotations

import numpy as np


def coding_rate(gram: np.ndarray, eps: float, dim: int) -> float:
    """The coding rate in nats of n vectors of dimension ``dim`` from their (n, n) Gram matrix; 0 for an empty set."""
    n = len(gram)
    if n == 0:
        return 0.0
    scaled = np.asarray(gram, np.float64) * (dim / (n * eps**2))
    return 0.5 * float(np.linalg.slogdet(np.eye(n) + scaled)[1])


def feature_coding_rate(features: np.ndarray, eps: float) -> float:
    """The coding rate in nats of the rows of ``features`` (n, d), from the smaller of the two Gram matrices."""
    features = np.asarray(features, np.float64)
    n, dim = features.shape
    if n == 0 or dim == 0:
        return 0.0
    smaller = features @ features.T if n <= dim else features.T @ features
    scaled = smaller * (dim / (n * eps**2))
    return 0.5 * float(np.linalg.slogdet(np.eye(len(smaller)) + scaled)[1])
