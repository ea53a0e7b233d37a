"""Coding rate and its lazy greedy search against definitions, determinants computed anew, and brute force."""

from itertools import combinations, islice
from unittest import mock

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kecor.coding_rate import TWIN_DISTANCE, GramMatrix, GreedyCodingRate, Pick, coding_rate, feature_coding_rate
from kecor.coding_rate.greedy import FIRST_BATCH
from kecor.errors import SelectionError

SIGMA = 0.3


class World:
    """Kernel among candidates, with the labelled items and among those, with the two terms that may be added."""

    def __init__(self, features, n_labelled=0, sigma=SIGMA, bonus=None, inner=None, kernel=np.matmul):
        n = len(features) - n_labelled
        gram = kernel(features, features.T)
        self.gram, self.cross, self.known = gram[:n, :n], gram[:n, n:], gram[n:, n:]
        self.sigma = sigma
        self.bonus = np.zeros(n) if bonus is None else bonus
        self.inner = np.zeros(n) if inner is None else inner

    def __len__(self):
        return len(self.gram)

    def joint(self, chosen):
        """Kernel among the labelled items and the chosen ones."""
        chosen = np.asarray(chosen, int)
        across = self.cross[chosen]
        return np.block([[self.known, across.T], [across, self.gram[np.ix_(chosen, chosen)]]])

    def noisy(self, chosen):
        inner = np.concatenate([np.zeros(len(self.known)), self.inner[np.asarray(chosen, int)]])
        return self.joint(chosen) + np.diag(inner + self.sigma**2)

    def objective(self, chosen):
        """By a determinant with the labelled items over one without the chosen."""
        both, alone = (np.linalg.slogdet(self.noisy(some))[1] for some in (chosen, []))
        return 0.5 * (both - alone) - len(chosen) * np.log(self.sigma) + self.bonus[np.asarray(chosen, int)].sum()

    def posterior(self, chosen):
        """(N,) variance k_ii - k_io (K_oo + sigma^2)^-1 k_oi given the labelled and the chosen."""
        cross = np.concatenate([self.cross, self.gram[:, np.asarray(chosen, int)]], 1)
        return np.diag(self.gram) - np.sum(cross * np.linalg.solve(self.noisy(chosen), cross.T).T, 1)

    def copies(self, chosen):
        """(N,) whether a candidate is as good as a copy of a labelled or chosen item."""
        cross = np.concatenate([self.cross, self.gram[:, np.asarray(chosen, int)]], 1)
        own, others = np.diag(self.gram)[:, None], np.diag(self.joint(chosen))
        return (own + others - 2 * cross <= TWIN_DISTANCE * np.maximum(own, others)).any(1)

    def search(self, part=None):
        kernel = Watched(self, part or len(self))
        search = GreedyCodingRate(kernel, self.sigma, self.bonus, self.inner)
        kernel.search = search
        return search


class Watched(GramMatrix):
    """A kernel in parts that keeps what was asked of it, and holds the search to what it may ask."""

    def __init__(self, world, part):
        super().__init__(world.gram, world.cross, world.known)
        self.part, self.picked, self.asked, self.bounds, self.search = part, [], [[]], [], None

    def scan(self):
        for start in range(0, len(self), self.part):
            rows = np.arange(start, min(start + self.part, len(self)))
            yield rows, np.diag(self.gram)[rows], self.cross_known[rows]

    def cross(self, positions, skip):
        assert 0 < len(positions) <= self.part
        assert skip <= len(self.known) + len(self.picked)
        values = super().cross(positions, skip)
        assert values.shape[1] == len(self.known) + len(self.picked) - skip
        self.asked[-1] += [(int(i), skip) for i in positions]
        return values

    def condition_on(self, position):
        super().condition_on(position)
        self.picked.append(position)
        self.asked.append([])
        self.bounds.append(self.search.gains())


def problem(seed, n=9, n_labelled=4, dim=6, **terms):
    def kernel(a, b):
        return np.exp(-0.2 * np.square(a[:, None] - b.T[None]).sum(-1)) + 0.3 * a @ b

    return World(np.random.default_rng(seed).normal(size=(n + n_labelled, dim)), n_labelled, kernel=kernel, **terms)


def tight_clusters(n=300, n_clusters=20, n_labelled=5, seed=0):
    """Candidates of which most are like another."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(n_clusters, 30))
    features = centres[rng.integers(n_clusters, size=n + n_labelled)] + 0.1 * rng.normal(size=(n + n_labelled, 30))
    return World(features / np.sqrt(30), n_labelled)


@st.composite
def worlds(draw):
    """Kernels of any rank and conditioning with copies among their items, both terms on or off."""
    n, n_labelled, rank = draw(st.integers(1, 12)), draw(st.integers(0, 5)), draw(st.integers(1, 14))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    features = rng.normal(size=(n + n_labelled, rank)) * np.logspace(0, -draw(st.sampled_from([0, 1, 4, 8])), rank)
    copies = rng.random(len(features)) < draw(st.sampled_from([0.0, 0.0, 0.3, 1.0]))
    features[copies] = features[rng.integers(len(features), size=copies.sum())]
    features[rng.random(len(features)) < draw(st.sampled_from([0.0, 0.0, 0.3]))] = 0
    bonus, inner = (rng.uniform(size=n) * draw(st.sampled_from([0.0, 0.3, 50.0])) for _ in range(2))
    return World(features, n_labelled, draw(st.sampled_from([0.01, 0.1, 1.0, 5.0])), bonus, inner)


def assert_greedy(world, picks, candidates=None):
    """Each pick has the greatest gain there is, by a determinant for each candidate, and copies wait to the end."""
    left = np.ones(len(world), bool) if candidates is None else candidates.copy()
    chosen, before = [], 0.0
    for pick in picks:
        fresh = left & ~world.copies(chosen)
        allowed = np.flatnonzero(fresh if fresh.any() else left)
        values = {int(j): world.objective([*chosen, j]) - before for j in allowed}
        assert pick.index in values
        assert pick.gain == pytest.approx(values[pick.index], rel=1e-7, abs=1e-8)
        assert pick.gain >= max(values.values()) * (1 - 1e-7) - 1e-8
        variance = world.posterior(chosen)[pick.index]
        assert pick.rate_gain == pytest.approx(0.5 * np.log1p(max(0, variance) / world.sigma**2), rel=1e-6, abs=1e-7)
        chosen.append(pick.index)
        left[pick.index] = False
        before = world.objective(chosen)
    assert sum(pick.gain for pick in picks) == pytest.approx(before, rel=1e-8, abs=1e-8)
    return chosen


def plain_greedy(world, k):
    """The greedy search that computes everything anew at each pick by conditioning the whole kernel."""
    kernel = world.gram - world.cross @ np.linalg.solve(world.noisy([]), world.cross.T)
    chosen = []
    for _ in range(k):
        gains = 0.5 * np.log1p((np.diag(kernel) + world.inner) / world.sigma**2) + world.bonus
        gains[chosen] = -np.inf
        j = int(np.argmax(gains))
        kernel = kernel - np.outer(kernel[:, j], kernel[j]) / (kernel[j, j] + world.inner[j] + world.sigma**2)
        chosen.append(j)
    return chosen


def indices(picks):
    return [pick.index for pick in picks]


def test_rate_is_its_definition_by_gram_and_by_covariance():
    features = np.random.default_rng(0).normal(size=(7, 4))
    n, dim, eps = 7, 4, 0.5
    expected = 0.5 * np.linalg.slogdet(np.eye(dim) + dim / (n * eps**2) * features.T @ features)[1]
    assert coding_rate(features @ features.T, eps, dim) == pytest.approx(expected, rel=1e-12)
    assert feature_coding_rate(features, eps) == pytest.approx(expected, rel=1e-12)
    wide = 0.5 * np.linalg.slogdet(np.eye(7) + 7 / (4 * eps**2) * features @ features.T)[1]
    assert feature_coding_rate(features.T, eps) == pytest.approx(wide, rel=1e-12)


def test_rate_of_one_vector_by_hand_and_of_none():
    assert feature_coding_rate(np.array([[3.0, 4.0]]), 1.0) == pytest.approx(0.5 * np.log(1 + 2 * 25))
    assert coding_rate(np.zeros((0, 0)), 0.5, 3) == feature_coding_rate(np.zeros((0, 3)), 0.5) == 0.0


@settings(max_examples=300, deadline=None, derandomize=True)
@given(worlds(), st.integers(1, 12), st.integers(1, 5), st.integers(1, 5), st.randoms(use_true_random=False))
def test_lazy_search_is_brute_force_greedy(world, part, first, batch, random):
    candidates = np.array([random.random() < 0.7 for _ in range(len(world))])
    with mock.patch.multiple("kecor.coding_rate.greedy", FIRST_BATCH=first, BATCH=batch):
        chosen = assert_greedy(world, list(world.search(part).picks(candidates)), candidates)
    assert sorted(chosen) == np.flatnonzero(candidates).tolist()


@pytest.mark.parametrize("term", ["bonus", "inner"])
@pytest.mark.parametrize("seed", range(4))
def test_picks_are_those_of_plain_greedy(seed, term):
    world = problem(seed, **{term: np.random.default_rng(seed).uniform(size=9)})
    picks = list(world.search().picks())
    assert indices(picks) == plain_greedy(world, 9)
    assert assert_greedy(world, picks) == indices(picks)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(worlds(), st.integers(1, 12))
def test_kept_variances_bound_the_true_ones_and_posterior_makes_them_exact(world, part):
    search, chosen = world.search(part), []
    size = max(1.0, np.diag(world.gram).max())
    np.testing.assert_allclose(search.variance, world.posterior([]), rtol=0, atol=1e-7 * size)
    for pick in search.picks():
        exact = world.posterior(chosen)
        assert np.all(search.variance >= exact - 1e-7 * size)
        if len(chosen) % 3 == 2:
            some = np.arange(len(world))[:: 1 + len(chosen) % 2]
            np.testing.assert_allclose(search.posterior(some), exact[some], rtol=0, atol=1e-7 * size)
        chosen.append(pick.index)
    search.condition_on(chosen[-1])
    everything = search.posterior(np.arange(len(world)))
    np.testing.assert_allclose(everything, world.posterior(chosen), rtol=0, atol=1e-7 * size)


def test_the_read_ahead_and_its_doubling_are_crossed():
    world = tight_clusters(n=5 * FIRST_BATCH)
    search = world.search()
    picks = list(islice(search.picks(), 60))
    assert indices(picks) == plain_greedy(world, 60)
    rounds = [len(asked) for asked in search.kernel.asked]
    assert rounds[0] == 0
    assert rounds[1] >= FIRST_BATCH - 1
    assert max(rounds[2:]) > 2 * 8  # twice as many were read again


@pytest.mark.parametrize("part", [1, 7, 300])
def test_few_candidates_are_evaluated_and_only_those_that_lead(part):
    world = tight_clusters()
    search = world.search(part)
    picks = indices(islice(search.picks(), 40))
    kernel = search.kernel
    assert picks == plain_greedy(world, 40)
    assert kernel.picked == picks[:-1]
    assert kernel.asked[0] == []  # the first pick follows from the first look
    assert search.evaluated == sum(map(len, kernel.asked)) < 0.4 * 39 * 300
    for k, (asked, bounds) in enumerate(zip(kernel.asked[1:], kernel.bounds)):
        wanted = [i for i, _ in asked]
        assert len(set(wanted)) == len(wanted)
        rest = np.setdiff1d(np.arange(300), [*wanted, *picks[: k + 1]])
        assert not set(wanted) & set(picks[: k + 1])
        assert bounds[wanted].min() >= bounds[rest].max()


def test_no_kernel_value_is_asked_for_twice():
    search = tight_clusters().search(50)
    list(islice(search.picks(), 30))
    seen = {}
    for n_picked, asked in enumerate(search.kernel.asked):
        for i, skip in asked:
            assert skip == 5 + seen.get(i, 0)
            seen[i] = n_picked


def test_greedy_is_within_its_bound_of_the_best_subset():
    for seed in range(5):
        world = problem(seed, bonus=np.random.default_rng(seed).uniform(size=9) / 2)
        best = max(world.objective(list(some)) for some in combinations(range(9), 4))
        found = sum(pick.gain for pick in islice(world.search().picks(), 4))
        assert (1 - 1 / np.e) * best <= found <= best + 1e-9


def test_gains_add_the_bonus_outside_the_logarithm_and_inner_inside():
    bonus, inner = np.linspace(0, 1, 9), np.linspace(2, 0, 9)
    search = problem(2, bonus=bonus, inner=inner).search()
    rate = 0.5 * np.log(1 + search.variance / SIGMA**2)
    np.testing.assert_allclose(search.rate_gains(), rate, rtol=1e-12)
    whole = 0.5 * np.log(1 + (search.variance + inner) / SIGMA**2) + bonus
    np.testing.assert_allclose(search.gains(), whole, rtol=1e-12)


def test_a_great_bonus_alone_decides():
    bonus = 1e6 * np.random.default_rng(0).permutation(9)
    world = problem(0, bonus=bonus)
    assert indices(world.search().picks()) == np.argsort(-bonus).tolist()


def test_observing_by_hand_twice_is_once_and_what_is_observed_becomes_known():
    world = problem(3)
    search = world.search(part=2)
    for j in (4, 4, 0, 4):
        search.condition_on(j)
    assert search.kernel.picked == [4, 0]
    np.testing.assert_allclose(search.posterior(np.arange(9)), world.posterior([4, 0]), rtol=1e-10)
    picks = list(search.picks(~np.isin(np.arange(9), [0, 4])))
    assert picks[0].gain == pytest.approx(world.objective([4, 0, picks[0].index]) - world.objective([4, 0]))


def test_copies_of_labelled_items_of_picks_and_of_each_other_come_last():
    x = np.random.default_rng(6).normal(size=(12, 20))
    x[5], x[3], x[7], x[8] = x[1], x[11], x[1], x[11]  # 11 is labelled
    world = World(x, 2, bonus=np.where(np.isin(np.arange(10), [3, 8]), 9.0, 0.0))  # a bonus does not help a copy
    picks = list(world.search().picks())
    assert set(indices(picks[:6])) == {0, 2, 4, 6, 9, next(i for i in indices(picks) if i in (1, 5, 7))}
    assert_greedy(world, picks)
    assert all(pick.rate_gain <= 0.5 * np.log(2) + 1e-9 for pick in picks[6:])


@pytest.mark.parametrize(("away", "put_off"), [(0.8e-3, True), (1.2e-3, False)])
def test_near_copies_are_no_copies(away, put_off):
    near = np.array([np.cos(away), np.sin(away), 0])
    world = World(np.stack([np.eye(3)[0], near, 0.01 * np.eye(3)[2]]), sigma=0.1)
    last = list(world.search().picks())[-1].index
    assert (last == 2) != put_off


def test_of_equals_the_first_is_taken():
    assert indices(World(np.eye(40)).search(part=3).picks()) == list(range(40))
    bonus = np.repeat([0.0, 1.0], 20)
    assert indices(World(np.eye(40), bonus=bonus).search().picks()) == [*range(20, 40), *range(20)]


def test_a_constant_kernel_buys_one_frame_and_then_next_to_nothing():
    world = World(np.ones((30, 1)))
    picks = list(world.search().picks())
    assert sorted(indices(picks)) == list(range(30))
    np.testing.assert_allclose([p.gain for p in picks], 0.5 * np.log(1 + 1 / (SIGMA**2 + np.arange(30.0))), rtol=1e-9)


def test_items_of_no_size_gain_nothing_and_come_last():
    x = np.random.default_rng(0).normal(size=(8, 4))
    x[[1, 4, 6]] = 0
    picks = list(World(x, 1).search().picks())
    assert set(indices(picks[-3:])) == {1, 4, 6}
    assert [pick.gain for pick in picks[-3:]] == [0, 0, 0]


def test_no_items_no_candidates_and_nothing_observed_before():
    assert list(World(np.zeros((0, 3))).search(1).picks()) == []
    assert list(World(np.zeros((4, 3)), 4).search(1).picks()) == []
    assert list(problem(0).search().picks(np.zeros(9, bool))) == []
    one = World(np.array([[2.0]]))
    assert list(one.search().picks()) == [Pick(0, *[pytest.approx(0.5 * np.log(1 + 4 / SIGMA**2))] * 2)]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_gain_that_is_not_finite_does_not_hang_the_search(value):
    search = problem(0, bonus=np.where(np.arange(9) == 4, value, 0.0)).search()
    assert sorted(indices(search.picks())) == list(range(9))


@pytest.mark.parametrize("known", [[[1.0, 3.0], [3.0, 1.0]], [[1.0, np.nan], [np.nan, 1.0]]])
def test_a_kernel_that_cannot_be_factorised_is_an_error_that_names_sigma(known):
    with pytest.raises(SelectionError, match="sigma"):
        GreedyCodingRate(GramMatrix(np.eye(2), np.zeros((2, 2)), np.array(known)), SIGMA)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(0, 10**6), st.integers(1, 12), st.integers(1, 5), st.floats(0.05, 3.0))
@example(178, 7, 1, 1.0)  # two of its items are as good as copies
def test_gains_fall_but_for_copies_and_sum_to_the_log_determinant(seed, n, dim, sigma):
    world = World(np.random.default_rng(seed).normal(size=(n, dim)), sigma=sigma)
    picks = list(world.search().picks())
    order = indices(picks)
    fresh = [pick.gain for k, pick in enumerate(picks) if not world.copies(order[:k])[pick.index]]
    assert np.all(np.diff(fresh) <= 1e-7)
    expected = 0.5 * np.linalg.slogdet(np.eye(n) + world.gram / sigma**2)[1]
    assert sum(pick.gain for pick in picks) == pytest.approx(expected, rel=1e-6, abs=1e-9)
