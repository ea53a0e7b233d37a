"""What a round reports about its kernel, and the drift between two rounds."""

import json

import numpy as np
import pytest

from kecor.ntk.alignment import (
    centred_alignment,
    effective_dimension,
    kernel_target_alignment,
    label_gradient_alignment,
    leading_alignment,
    spectrum,
)
from kecor.ntk.diagnostics import diagnose, kernel_drift
from tests.ntk.test_alignment import random_world

DRIFT_ROUNDING = 1e-5
"""Error of a drift that comes from the six digits of a probe."""


def diagnosed(features, ids=None, targets=None, noise=0.01):
    gram = features @ features.T
    gram = gram / max(np.diag(gram).mean(), 1e-300) if len(gram) else gram
    ids = [f"{i:03d}" for i in range(len(gram))] if ids is None else ids
    return diagnose(gram, ids, targets, noise, np.full(5, 0.2), np.full(5, 0.1))


def test_drift_is_zero_between_kernels_that_differ_in_scale_alone_and_grows_with_noise():
    features, _ = random_world(n=30)
    rng = np.random.default_rng(1)
    start = diagnosed(features)
    assert kernel_drift(start, start) == pytest.approx(0, abs=1e-12)
    assert kernel_drift(start, diagnosed(40 * features)) == pytest.approx(0, abs=DRIFT_ROUNDING)
    noise = rng.normal(size=features.shape)
    drifts = [kernel_drift(start, diagnosed(features + a * noise)) for a in (0.1, 0.5, 2.0)]
    assert 0 < drifts[0] < drifts[1] < drifts[2] <= 1


def test_drift_compares_the_frames_both_probes_hold_by_name():
    features, _ = random_world(n=90)
    other = np.random.default_rng(8).normal(size=features.shape)
    names = [f"{i:03d}" for i in range(90)]
    before = diagnosed(features[:70], names[:70])
    order = np.random.default_rng(2).permutation(64)
    after = diagnosed(other[order], [names[i] for i in order])
    expected = 1 - centred_alignment(features[:64] @ features[:64].T, other[:64] @ other[:64].T)
    assert kernel_drift(before, after) == pytest.approx(expected, abs=DRIFT_ROUNDING)
    later = diagnosed(other[60:90], names[60:90])
    expected = 1 - centred_alignment(features[60:64] @ features[60:64].T, other[60:64] @ other[60:64].T)
    assert kernel_drift(before, later) == pytest.approx(expected, abs=DRIFT_ROUNDING)


def test_drift_is_not_told_without_probes_or_with_fewer_than_three_frames_in_common():
    features, _ = random_world(n=10)
    known = diagnosed(features)
    assert kernel_drift({}, known) is None
    assert kernel_drift(known, {"drift": 0.1}) is None
    assert kernel_drift(known, diagnosed(features, [*"ab", *(f"{i:03d}" for i in range(2)), *"cdefgh"])) is None
    assert kernel_drift(known, diagnosed(features[:3])) == pytest.approx(0, abs=DRIFT_ROUNDING)


def test_diagnose_gives_what_the_functions_give_and_survives_json():
    features, targets = random_world(n=80, dim=50)
    gram = features @ features.T
    gram /= np.diag(gram).mean()
    ids = np.array([f"{i:06d}" for i in range(80)])[::-1]
    found = diagnose(gram, ids, targets, 0.04, np.array([0.5, 0.7]), np.array([0.1, 0.2]))
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    values = spectrum(gram)
    assert found["eigenvalues"] == pytest.approx(values[:32] / np.trace(gram))
    assert found["largest_eigenvalue"] == pytest.approx(values[0])
    assert found["effective_dimension"] == pytest.approx(effective_dimension(values, 0.04))
    assert found["target_alignment"] == pytest.approx(kernel_target_alignment(gram, targets))
    assert found["label_gradient_alignment"] == pytest.approx(label_gradient_alignment(gram, targets))
    assert found["leading_alignment"] == pytest.approx(leading_alignment(gram, targets, 8))
    assert found["variance_before"] == pytest.approx(0.6)
    assert found["variance_after"] == pytest.approx(0.15)
    assert found["probe"]["ids"] == ids[:64].tolist()
    np.testing.assert_allclose(found["probe"]["gram"], gram[:64, :64], rtol=5e-6)
    assert all(len(f"{abs(v):e}".split("e")[0].rstrip("0")) <= 7 for row in found["probe"]["gram"] for v in row)


def test_a_kernel_without_a_proxy_tells_no_alignment():
    found = diagnosed(random_world()[0])
    assert found.keys() == {
        "eigenvalues",
        "largest_eigenvalue",
        "effective_dimension",
        "variance_before",
        "variance_after",
        "probe",
    }


@pytest.mark.parametrize("n", [0, 1, 2, 5])
@pytest.mark.parametrize("kind", ["zero", "constant", "rank one", "full"])
@pytest.mark.parametrize("flat", [True, False])
def test_degenerate_kernels_and_targets_give_finite_numbers(n, kind, flat):
    rng = np.random.default_rng(n)
    gram = {"zero": np.zeros((n, n)), "constant": np.ones((n, n)), "full": np.eye(n)}.get(kind)
    if gram is None:
        feature = rng.normal(size=(n, 1))
        gram = feature @ feature.T
    targets = np.full((n, 3), 0.1) if flat else rng.normal(size=(n, 3))
    found = diagnose(gram, [str(i) for i in range(n)], targets, 0.01, np.zeros(0), np.zeros(0))
    json.dumps(found, allow_nan=False)
    assert "variance_before" not in found
    assert "variance_after" not in found
    alignments = ("target_alignment", "label_gradient_alignment", "leading_alignment")
    assert [name in found for name in alignments] == [n > 1 and not flat] * 3
    if "leading_alignment" in found:
        assert len(found["leading_alignment"]) == n
        if kind in ("zero", "constant"):
            assert [found[name] for name in alignments] == [0.0, 0.0, [0.0] * n]
    assert kernel_target_alignment(gram, np.full((n, 3), 0.1)) == 0
    assert label_gradient_alignment(gram, np.full((n, 3), 0.1)) == 0
    assert leading_alignment(gram, np.full((n, 3), 0.1), 4).tolist() == [0.0] * 4
    drift = kernel_drift(found, found)
    if n < 3 or kind in ("zero", "constant"):
        assert drift is None
    else:
        assert drift == pytest.approx(0, abs=1e-12)
