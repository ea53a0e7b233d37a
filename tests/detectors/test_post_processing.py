import numpy as np
import pytest
import torch

from kecor.detectors.post_processing import best


@pytest.mark.parametrize("limit", [0, 1, 7, 100, 400])
@pytest.mark.parametrize("threshold", [0.0, 0.3, 0.9, 2.0])
def test_best_are_those_of_a_stable_sort(limit, threshold):
    scores = np.random.default_rng(0).integers(0, 20, 300) / 20  # many ties
    order = [i for i in np.argsort(-scores, kind="stable") if scores[i] >= threshold]
    assert best(torch.from_numpy(scores), limit, threshold).tolist() == order[:limit]
