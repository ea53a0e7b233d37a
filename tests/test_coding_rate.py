"""Coding rate and greedy search against definitions and brute force in float64."""

from itertools import combinations, islice

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kecor.coding_rate import TWIN_DISTANCE, GreedyCodingRate, coding_rate, feature_coding_rate
from kecor.errors import SelectionError

SIGMA = 0.3


def problem(seed, n=9, n_labelled=4, dim=6):
    """Kernel among n candidates, between them and the labelled items, and among those."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n + n_labelled, dim))
    gram = np.exp(-0.2 * np.square(x[:, None] - x[None]).sum(-1)) + 0.3 * x @ x.T
    return gram[:n, :n], gram[:n, n:], gram[n:, n:]


def posterior(kernel, cross, gram, sigma=SIGMA):
    return kernel - cross @ np.linalg.solve(gram + sigma**2 * np.eye(len(gram)), cross.T)


def objective(kernel, chosen, bonus, inner, sigma=SIGMA):
    block = kernel[np.ix_(chosen, chosen)] + np.diag(inner[chosen])
    return 0.5 * np.linalg.slogdet(np.eye(len(chosen)) + block / sigma**2)[1] + bonus[chosen].sum()


def brute_force_greedy(kernel, bonus, inner, k):
    chosen, gains = [], []
    for _ in range(k):
        before = objective(kernel, chosen, bonus, inner) if chosen else 0.0
        values = {j: objective(kernel, [*chosen, j], bonus, inner) for j in range(len(kernel)) if j not in chosen}
        best = max(values, key=values.get)
        chosen.append(best)
        gains.append(values[best] - before)
    return chosen, gains


def greedy(kernel, cross, gram, **terms):
    search = GreedyCodingRate(np.diag(kernel), lambda j: kernel[:, j], SIGMA, **terms)
    search.condition(cross, gram)
    return search


def test_rate_is_its_definition_by_gram_and_by_covariance():
    features = np.random.default_rng(0).normal(size=(7, 4))
    n, dim, eps = 7, 4, 0.5
    expected = 0.5 * np.linalg.slogdet(np.eye(dim) + dim / (n * eps**2) * features.T @ features)[1]
    assert coding_rate(features @ features.T, eps, dim) == pytest.approx(expected, rel=1e-12)
    assert feature_coding_rate(features, eps) == pytest.approx(expected, rel=1e-12)
    assert feature_coding_rate(features.T, eps) > 0  # the other branch: more dimensions than vectors


def test_rate_of_one_vector_by_hand_and_of_none():
    assert feature_coding_rate(np.array([[3.0, 4.0]]), 1.0) == pytest.approx(0.5 * np.log(1 + 2 * 25))
    assert coding_rate(np.zeros((0, 0)), 0.5, 3) == feature_coding_rate(np.zeros((0, 3)), 0.5) == 0.0


def test_conditioning_gives_the_posterior_variance_in_closed_form():
    kernel, cross, gram = problem(1)
    expected = np.diag(posterior(kernel, cross, gram))
    np.testing.assert_allclose(greedy(kernel, cross, gram).variance, expected, rtol=1e-10)


@pytest.mark.parametrize("term", ["bonus", "inner"])
@pytest.mark.parametrize("seed", range(4))
def test_greedy_is_brute_force_greedy_and_gains_sum_to_the_objective(seed, term):
    kernel, cross, gram = problem(seed)
    terms = {"bonus": np.zeros(9), "inner": np.zeros(9)}
    terms[term] = np.random.default_rng(seed).uniform(size=9)
    picks = list(greedy(kernel, cross, gram, **terms).picks())
    conditioned = posterior(kernel, cross, gram)
    chosen, gains = brute_force_greedy(conditioned, **terms, k=9)
    assert [pick.index for pick in picks] == chosen
    np.testing.assert_allclose([pick.gain for pick in picks], gains, rtol=1e-8)
    whole = objective(conditioned, chosen, **terms)
    assert sum(pick.gain for pick in picks) == pytest.approx(whole, rel=1e-9)


def test_rate_part_excludes_the_bonus():
    kernel, cross, gram = problem(2)
    bonus = np.linspace(0, 1, 9)
    for pick in greedy(kernel, cross, gram, bonus=bonus).picks():
        assert pick.gain - pick.rate_gain == pytest.approx(bonus[pick.index])


def test_a_column_is_computed_only_for_an_observed_pick():
    kernel, _, _ = problem(3)
    asked = []
    search = GreedyCodingRate(np.diag(kernel), lambda j: asked.append(j) or kernel[:, j], SIGMA)
    picks = [pick.index for pick in islice(search.picks(), 4)]
    assert asked == picks[:3]


def test_variances_after_picks_are_the_posterior_given_them_too():
    kernel, cross, gram = problem(4)
    search = greedy(kernel, cross, gram)
    chosen = [pick.index for pick in islice(search.picks(), 4)][:3]  # the fourth is not observed yet
    joint_cross = np.concatenate([cross, kernel[:, chosen]], 1)
    joint = np.block([[gram, cross[chosen].T], [cross[chosen], kernel[np.ix_(chosen, chosen)]]])
    np.testing.assert_allclose(search.variance, np.diag(posterior(kernel, joint_cross, joint)), rtol=1e-8)


def test_more_picks_than_first_allocated():
    rng = np.random.default_rng(5)
    features = rng.normal(size=(60, 80))
    kernel = features @ features.T / 80
    search = GreedyCodingRate(np.diag(kernel), lambda j: kernel[:, j], SIGMA)
    total = sum(pick.gain for pick in search.picks())
    assert total == pytest.approx(objective(kernel, list(range(60)), np.zeros(60), np.zeros(60)), rel=1e-9)


def test_copies_come_last_and_a_copy_of_a_labelled_item_too():
    x = np.random.default_rng(6).normal(size=(8, 10))
    x[5], x[3] = x[1], x[7]  # 5 copies 1; 3 copies 7, the labelled item
    gram = x @ x.T
    kernel, cross = gram[:7, :7], gram[:7, 7:]
    picks = list(greedy(kernel, cross, gram[7:, 7:]).picks())
    assert {pick.index for pick in picks[-2:]} in ({3, 5}, {3, 1})
    assert all(pick.rate_gain <= 0.5 * np.log(2) + 1e-9 for pick in picks[-2:])


def test_candidates_alone_are_picked():
    kernel, cross, gram = problem(7)
    allowed = np.arange(9) % 2 == 0
    assert sorted(pick.index for pick in greedy(kernel, cross, gram).picks(allowed)) == [0, 2, 4, 6, 8]


def test_of_equals_the_first_is_taken():
    search = GreedyCodingRate(np.ones(4), lambda j: np.eye(4)[j], SIGMA)
    assert [pick.index for pick in search.picks()] == [0, 1, 2, 3]


def test_greedy_is_within_its_bound_of_the_best_subset():
    for seed in range(5):
        kernel, cross, gram = problem(seed)
        conditioned, nothing = posterior(kernel, cross, gram), np.zeros(9)
        best = max(objective(conditioned, list(s), nothing, nothing) for s in combinations(range(9), 4))
        found = sum(pick.gain for pick in islice(greedy(kernel, cross, gram).picks(), 4))
        assert (1 - 1 / np.e) * best <= found <= best + 1e-9


def test_an_indefinite_kernel_is_an_error_that_names_sigma():
    with pytest.raises(SelectionError, match="sigma"):
        greedy(np.eye(2), np.zeros((2, 2)), np.array([[1.0, 3.0], [3.0, 1.0]]))


def test_no_items():
    assert list(GreedyCodingRate(np.zeros(0), lambda j: np.zeros(0), SIGMA).picks()) == []


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 12), st.integers(1, 5), st.floats(0.05, 3.0))
@example(178, 7, 1, 1.0)  # two of its items are as good as copies
def test_gains_fall_and_sum_to_the_log_determinant(seed, n, dim, sigma):
    features = np.random.default_rng(seed).normal(size=(n, dim))
    kernel = features @ features.T
    search = GreedyCodingRate(np.diag(kernel), lambda j: kernel[:, j], sigma)
    picks = list(search.picks())
    gains = [pick.gain for pick in picks]
    order = [pick.index for pick in picks]

    def copies_an_earlier(k):
        item, earlier = features[order[k]], features[order[:k]]
        size = np.maximum(np.square(earlier).sum(1), np.square(item).sum())
        return np.any(np.square(earlier - item).sum(1) <= 2 * TWIN_DISTANCE * size)

    assert np.all(np.diff([gain for k, gain in enumerate(gains) if not copies_an_earlier(k)]) <= 1e-7)
    expected = 0.5 * np.linalg.slogdet(np.eye(n) + kernel / sigma**2)[1]
    assert sum(gains) == pytest.approx(expected, rel=1e-6, abs=1e-9)
