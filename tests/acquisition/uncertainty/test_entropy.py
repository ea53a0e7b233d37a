"""Entropies by hand, and the entropy and random methods."""

import numpy as np
import pytest

from kecor.acquisition import Entropy, Random
from kecor.acquisition.uncertainty.measures import box_entropies, class_entropy
from kecor.errors import ConfigError, SelectionError
from kecor.structures import Budget, Detections, FrameSet
from tests.acquisition.worlds import world


def boxes(labels=(), logits=None, scores=None):
    n = len(labels)
    scores = np.full(n, 0.5) if scores is None else np.array(scores)
    return Detections(np.ones((n, 7)), scores, np.array(labels, int), logits)


def logit(p):
    p = np.asarray(p, float)
    return np.log(p / (1 - p))


def test_box_entropy_is_that_of_normalised_sigmoids():
    found = boxes([0, 0], logit([[0.6, 0.2, 0.2], [0.3, 0.3, 0.3]]))
    expected = [-(0.6 * np.log(0.6) + 0.4 * np.log(0.2)), np.log(3)]
    np.testing.assert_allclose(box_entropies(found), expected, rtol=1e-12)


def test_box_entropy_of_extreme_logits_is_finite():
    found = boxes([0, 0], np.array([[800.0, -800.0], [-800.0, -800.0]]))
    np.testing.assert_allclose(box_entropies(found), [0, np.log(2)], atol=1e-12)


def test_one_class_or_no_logits_fall_back_on_the_score():
    binary = -(0.2 * np.log(0.2) + 0.8 * np.log(0.8))
    np.testing.assert_allclose(box_entropies(boxes([0], logit([[0.2]]))), [binary])
    np.testing.assert_allclose(box_entropies(boxes([0, 0], scores=[0.8, 1.0])), [binary, 0])


def test_class_entropy_of_the_histogram_of_labels():
    three = np.zeros((2, 3))
    found = [boxes([0, 1], three), boxes([2, 2], three), boxes()]
    np.testing.assert_allclose(class_entropy(counts_of(found)), [np.log(2), 0, 0])
    # with a count of one for absent classes: (1, 1, 1) and (1, 1, 2)
    released = class_entropy(counts_of(found), absent_count_one=True)
    np.testing.assert_allclose(released, [np.log(3), 1.5 * np.log(2), 0])


def test_class_entropy_without_logits_counts_the_classes_seen():
    np.testing.assert_allclose(class_entropy(counts_of([boxes([0]), boxes([3])]), True), [np.log(4)] * 2)
    assert class_entropy(counts_of([])).shape == (0,)
    np.testing.assert_array_equal(class_entropy(counts_of([boxes(), boxes()]), True), [0, 0])


def counts_of(found):
    return FrameSet([str(i) for i in range(len(found))], detections=found).expected_counts()


def test_class_entropy_of_expected_counts():
    counts = np.array([[1.5, 0.5], [0.1, 0.1], [0, 0], [3, 0.25]])
    first = -(0.75 * np.log(0.75) + 0.25 * np.log(0.25))
    share = np.array([3, 0.25]) / 3.25
    expected = [first, 0.2 * np.log(2), 0, -(share * np.log(share)).sum()]
    np.testing.assert_allclose(class_entropy(counts), expected, rtol=1e-12)
    released = [-(0.6 * np.log(0.6) + 0.4 * np.log(0.4)), 0.2 * np.log(2), 0, first]
    np.testing.assert_allclose(class_entropy(counts, True), released, rtol=1e-12)


@pytest.mark.parametrize(("aggregation", "first"), [("mean", "b"), ("sum", "c"), ("max", "b")])
def test_entropy_orders_frames_by_their_aggregate(aggregation, first):
    sure, unsure, half = [4.0, -4.0], [0.0, 0.0], [1.0, -1.0]
    found = [boxes([0], np.array([sure])), boxes([0, 0], np.array([unsure, sure]))]
    found += [boxes([0] * 4, np.array([half] * 4)), boxes()]
    means = [box_entropies(d).mean() if len(d) else 0 for d in found]
    pool = FrameSet(["a", "b", "c", "d"], detections=found)
    if aggregation == "mean":
        first = "abcd"[int(np.argmax(means))]
    selection = Entropy(aggregation).select(pool, FrameSet([]), Budget(4), np.random.default_rng(0))
    assert pool.ids[selection.indices[0]] == first
    assert pool.ids[selection.indices[-1]] == "d"
    assert selection.scores[3] == 0
    assert np.all(np.diff(selection.gains) <= 0)


def test_entropy_without_detections_or_with_bad_ones_is_an_error():
    with pytest.raises(SelectionError, match="entropy: the pool carries no detections"):
        Entropy().select(FrameSet(["a"]), FrameSet([]), Budget(1), np.random.default_rng(0))
    pool = FrameSet(["a"], detections=[boxes([0], np.array([[np.nan, 0.0]]))])
    with pytest.raises(SelectionError, match="entropy: frame 'a'"):
        Entropy().select(pool, FrameSet([]), Budget(1), np.random.default_rng(0))
    with pytest.raises(ConfigError, match="median"):
        Entropy("median")


def test_random_is_uniform_over_frames():
    pool = world(10)
    counts = np.zeros(10)
    for seed in range(400):
        counts[Random().select(pool, FrameSet([]), Budget(3), np.random.default_rng(seed)).indices] += 1
    assert abs(counts - 120).max() < 5 * np.sqrt(400 * 0.3 * 0.7)
