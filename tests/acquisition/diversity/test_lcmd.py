"""LCMD against its plain form, on a line, and with exact and projected kernels."""

import numpy as np
import pytest
import torch

from kecor.acquisition import LCMD, validate_selection
from kecor.acquisition.diversity.lcmd import KernelDistances
from kecor.errors import ConfigError, SelectionError
from kecor.ntk import KernelOptions, frame_kernel
from kecor.structures import Budget, FrameSet
from tests.acquisition.diversity.test_coreset import points
from tests.acquisition.test_kecor import whitened
from tests.acquisition.worlds import nested_kernel, take, with_copy, world

POOL, LABELLED = world(24, seed=1), world(12, seed=2, prefix="l", labelled=True)
WITH_ROIS = np.flatnonzero(POOL.feats["roi_mask"].any(1))
PLAIN = {"kernel": "linear", "standardise": False}


def select(pool=POOL, labelled=LABELLED, amount=8, seed=0, **options):
    selection = LCMD(**nested_kernel({"steps": 30, **options})).select(
        pool, labelled, Budget(amount), np.random.default_rng(seed)
    )
    validate_selection(selection, pool, Budget(amount), "lcmd")
    return selection


def plain(squared, squared_known, k):
    """Squared distances (N, N) and (N, L) in; every cluster rebuilt for every pick."""
    picks, gains = [], []
    for _ in range(k):
        to_centres = np.concatenate([squared_known, squared[:, picks]], 1)
        owner, near = to_centres.argmin(1), to_centres.min(1)
        sizes = [near[owner == c].sum() for c in range(to_centres.shape[1])]
        inside = np.flatnonzero(owner == np.argmax(sizes))
        picks.append(int(inside[near[inside].argmax()]))
        gains.append(near[picks[-1]] ** 0.5)
    return picks, gains


def apart(a, b):
    return np.square(a[:, None] - b).sum(2)


def test_picks_are_those_of_the_plain_form_with_a_linear_kernel():
    u, known = whitened(POOL, LABELLED)[WITH_ROIS], whitened(LABELLED, LABELLED)
    scale = np.square(known).sum(1).mean()
    known = known[LABELLED.feats["roi_mask"].any(1)]
    picks, gains = plain(apart(u, u) / scale, apart(u, known) / scale, 12)
    selection = select(amount=12, kernel="linear")
    assert selection.indices.tolist() == WITH_ROIS[picks].tolist()
    np.testing.assert_allclose(selection.gains, gains, rtol=1e-4)


def test_the_largest_cluster_comes_before_the_farthest_frame():
    """Labelled at 0 and 100: ten frames 4 away from 0 (size 160) weigh more than one 10 away from 100 (size 100). Of
    the ten, split at both sides of 0, the pick takes those at its side; then the one far away is next."""
    where = np.array([[-4.0]] * 4 + [[4.0]] * 5 + [[4.5], [110.0], [0.5]])
    selection = select(points(where), points([[0.0], [100.0]], "l"), 12, **PLAIN)
    assert selection.indices[:3].tolist() == [9, 10, 0]
    assert set(selection.indices[3:5].tolist()) == {4, 11}
    assert (selection.gains[5:] == 0).all()  # copies of the picks


@pytest.mark.parametrize("options", [{"kernel": "linear"}, {"kernel": "last_layer"}, {"rank": 64}], ids=str)
@pytest.mark.parametrize("normalise", [False, True])
def test_vectors_and_kernel_columns_give_the_same_picks(options, normalise, monkeypatch):
    vectors = select(normalise=normalise, **options)
    monkeypatch.setattr(
        LCMD, "_distances", lambda self, kernel, known: KernelDistances(kernel, known.mask[known.order].any(1))
    )
    columns = select(normalise=normalise, **options)
    assert columns.indices.tolist() == vectors.indices.tolist()
    np.testing.assert_allclose(columns.gains / columns.gains[0], vectors.gains / vectors.gains[0], rtol=1e-3)


@pytest.mark.parametrize("kernel", ["ntk", "rbf"])
def test_the_exact_kernel_gives_the_picks_of_its_whole_matrix(kernel, monkeypatch):
    monkeypatch.setattr("kecor.ntk.roi_frames.FEW_VALUES", 5 * 48)
    monkeypatch.setattr("kecor.ntk.pool_kernel.BLOCK_BYTES", 1 << 20)
    options = KernelOptions(type=kernel, steps=30, normalise=False)
    generator = torch.Generator().manual_seed(int(np.random.default_rng(0).integers(2**62)))
    pool = take(POOL, WITH_ROIS)
    whole, _ = frame_kernel(pool, LABELLED, options, generator)
    parts = list(whole.scan())
    for j in range(len(pool)):
        whole.condition_on(j)
    cross = np.concatenate([whole.cross(positions, 0) for positions, *_ in parts])
    diagonal = np.concatenate([part[1] for part in parts])
    keep = LABELLED.feats["roi_mask"].any(1)
    squared = diagonal[:, None] + diagonal - 2 * cross[:, 12:]
    known = diagonal[:, None] + np.diag(whole.known)[keep] - 2 * cross[:, :12][:, keep]
    picks, gains = plain(squared, known, 10)
    selection = select(pool, amount=10, kernel=kernel, rank=None)
    assert selection.indices.tolist() == picks
    np.testing.assert_allclose(selection.gains, gains, rtol=1e-3)


def test_a_projection_measures_nearly_the_exact_distances():
    exact, projected = select(rank=None, amount=0).scores, select(rank=4096, amount=0).scores
    np.testing.assert_allclose(projected[WITH_ROIS], exact[WITH_ROIS], rtol=0.15)


@pytest.mark.parametrize("options", [{"rank": None}, {"rank": 64}, {"kernel": "laplace"}], ids=str)
def test_copies_and_frames_without_rois_come_last(options):
    pool = POOL
    for row in WITH_ROIS:
        pool = with_copy(pool, row, f"q{row}")
    n = len(WITH_ROIS)
    picked = select(pool, amount=99, **options).indices
    original = np.concatenate([np.arange(24), WITH_ROIS])
    assert set(original[picked[:n]]) == set(WITH_ROIS)
    assert len(set(picked)) == 24 + n


def test_what_it_says_and_cannot_do():
    info = select(amount=2).info
    assert info["proxy_loss_last"] < info["proxy_loss_first"]
    assert select(amount=2, kernel="linear").info == {}
    with pytest.raises(SelectionError, match="lcmd: no frame is labelled"):
        select(labelled=FrameSet([]))
    with pytest.raises(ConfigError, match=r"acquisition\.kernel\.rank: .*0"):
        LCMD({"rank": 0})
    broken = take(POOL, range(24))
    broken.feats["roi_features"][4, 0, 0] = np.inf
    with pytest.raises(SelectionError, match="lcmd: frame 'p0004': its features are not finite"):
        select(broken)
