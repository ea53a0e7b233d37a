"""The preset ``released`` against its behaviour written out plainly in double precision."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from kecor.acquisition import build_acquisition, validate_selection
from kecor.acquisition.kecor import Kecor
from kecor.errors import SelectionError
from kecor.structures import Budget, FrameSet
from tests.acquisition.worlds import CLASSES, take, world

PRESET = Path(__file__).parents[2] / "configs" / "methods" / "kecor_released.yaml"
RANK, SIGMA, ENTROPY_WEIGHT = 512, 0.1, 0.1  # LATENT_DIM, maxdet_sigma and ENT_SIGMA of the authors' KITTI configs

ALL, LABELLED = world(24, seed=1), world(12, seed=2, prefix="l", labelled=True)
POOL = take(ALL, np.flatnonzero(ALL.feats["roi_mask"].any(1)))  # frames without RoIs are copies of each other


def preset():
    return yaml.safe_load(PRESET.read_text())["acquisition"]


def select(pool, labelled, amount, seed=0, **changes):
    section = preset()
    method = build_acquisition({**section, "kernel": {**section["kernel"], **changes}})
    selection = method.select(pool, labelled, Budget(amount), np.random.default_rng(seed))
    validate_selection(selection, pool, Budget(amount), "kecor")
    return selection


def raw(frames):
    """Frames with features as large as a detector's are before anything normalises them."""
    feats = {**frames.feats, "roi_features": frames.feats["roi_features"] * 100 + 300}
    return FrameSet(frames.ids, feats, frames.detections)


def flat(frames, name="roi_features"):
    x = frames.feats[name].astype(np.float64) * frames.feats["roi_mask"][..., None]
    return torch.from_numpy(x.reshape(len(x), -1))


def forward(parameters, x):
    for weight, bias in parameters[:-1]:
        z = x @ weight.T + bias
        x = z * torch.sigmoid(z)
    return x @ parameters[-1][0].T + parameters[-1][1]


def fit(labelled, generator):
    """Ten Adam steps at 0.02 over all labelled frames at once, on the targets of the RoIs that are there."""
    x, t = flat(labelled), flat(labelled, "targets")
    counts = torch.from_numpy(np.repeat(labelled.feats["roi_mask"], t.shape[1] // 6, 1))
    widths = [x.shape[1], 512, 100, t.shape[1]]
    parameters = []
    for a, b in pairwise(widths):
        weight = torch.empty(b, a).normal_(0, (2 / a) ** 0.5, generator=generator).double()
        parameters.append((weight.requires_grad_(), torch.zeros(b, dtype=torch.float64, requires_grad=True)))
    every = [p for pair in parameters for p in pair]
    first, second = [torch.zeros_like(p) for p in every], [torch.zeros_like(p) for p in every]
    for step in range(1, 11):
        loss = (forward(parameters, x) - t)[counts].square().mean()
        for p, g, m, v in zip(every, torch.autograd.grad(loss, every), first, second):
            m.mul_(0.9).add_(0.1 * g)
            v.mul_(0.999).add_(0.001 * g**2)
            p.data -= 0.02 * (m / (1 - 0.9**step)) / ((v / (1 - 0.999**step)).sqrt() + 1e-8)
    return parameters


def sketches(parameters, signs, frames):
    """(N, RANK): each layer's gradient of the summed outputs between two matrices of signs, entry by entry."""
    result = []
    for x in flat(frames):
        gradients = torch.autograd.grad(forward(parameters, x).sum(), [p for pair in parameters for p in pair])
        sketch = torch.zeros(RANK, dtype=torch.float64)
        for weight, bias, (inputs, outputs) in zip(gradients[::2], gradients[1::2], signs):
            jacobian = torch.cat([weight, bias[:, None]], 1)
            if outputs.shape[0] == 1:  # the last layer's rows are all alike
                jacobian = jacobian[:1] * len(jacobian) ** 0.5
            sketch += torch.einsum("oi,ir,or->r", jacobian, inputs, outputs)
        result.append(sketch / RANK**0.5)
    return torch.stack(result).numpy() * frames.feats["roi_mask"].any(1, keepdims=True)


def count_one_entropy(frames):
    result = []
    for found in frames.detections:
        counts = np.array([max(1, int((found.labels == c).sum())) for c in range(CLASSES)])
        share = counts / counts.sum()
        result.append(-(share * np.log(share)).sum() if len(found) else 0.0)
    return np.array(result)


def written_out(pool, labelled, k, seed=0):
    generator = torch.Generator().manual_seed(int(np.random.default_rng(seed).integers(2**62)))
    parameters = fit(labelled, generator)
    sizes = [(parameters[0][0].shape[1], 512), (512, 100), (100, 1)]
    signs = [
        tuple(
            2.0 * torch.randint(2, (size, RANK), generator=generator, dtype=torch.int8).double() - 1
            for size in (a + 1, b)
        )
        for a, b in sizes
    ]
    u, known = (sketches(parameters, signs, frames) for frames in (pool, labelled))
    scale = np.square(known).sum(1).mean()
    u, known = u / scale**0.5, known / scale**0.5
    entropy = ENTROPY_WEIGHT * count_one_entropy(pool)
    precision = np.eye(RANK) + known.T @ known / SIGMA**2
    picks, gains = [], []
    for _ in range(k):
        variance = np.sum(u * np.linalg.solve(precision, u.T).T, 1)
        gain = 0.5 * np.log(1 + (variance + entropy) / SIGMA**2)
        gain[picks] = -np.inf
        best = int(gain.argmax())
        picks.append(best)
        gains.append(gain[best])
        precision += np.outer(u[best], u[best]) / (SIGMA**2 + entropy[best])
    return picks, gains, scale


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("seed", range(3))
def test_picks_are_those_of_the_behaviour_written_out(seed, precision):
    picks, gains, scale = written_out(POOL, LABELLED, 12, seed)
    selection = select(POOL, LABELLED, 12, seed, precision=precision)
    assert selection.indices.tolist() == picks
    np.testing.assert_allclose(selection.gains, gains, rtol=1e-4)
    assert selection.info["kernel_scale"] == pytest.approx(scale, rel=1e-3)
    assert selection.info["sigma"] == SIGMA


def test_the_preset_says_what_the_released_code_does():
    assert preset() == {
        "type": "kecor",
        "sigma": SIGMA,
        "entropy_weight": ENTROPY_WEIGHT,
        "class_entropy": "released",
        "combine": "released",
        "kernel": {
            "type": "ntk",
            "arrangement": "flatten",
            "output": "sum",
            "standardise": False,
            "steps": 10,
            "learning_rate": 0.02,
            "rank": RANK,
            "normalise": False,
            "require_convergence": False,
        },
    }


def test_it_ends_as_top_entropy_on_large_raw_features_and_ours_does_not():
    """Ten large steps on raw features kill the released proxy head's units: its kernel becomes the same for all frames
    and the entropy alone decides."""
    pool, labelled = raw(POOL), raw(LABELLED)
    released = select(pool, labelled, 8)
    assert released.info["proxy_loss_last"] > released.info["proxy_loss_mean"]
    assert released.info["rate_gain_mean"] < 0.05
    assert released.info["overlap_with_top_entropy"] == 1
    ours = Kecor(kernel={"steps": 30}).select(pool, labelled, Budget(8), np.random.default_rng(0))
    assert ours.info["proxy_loss_last"] < ours.info["proxy_loss_mean"]
    assert ours.info["rate_gain_mean"] > 0.5
    assert ours.info["overlap_with_top_entropy"] < 1


def test_by_default_the_released_fit_on_raw_features_is_an_error_that_says_what_to_do():
    with pytest.raises(SelectionError, match=r"kecor: the proxy head learned nothing: loss .*; standardise"):
        select(raw(POOL), raw(LABELLED), 8, require_convergence=True)


def test_inputs_as_large_as_the_released_ones():
    """128 RoIs of 256 channels side by side."""
    rng = np.random.default_rng(0)

    def frames(n, prefix):
        feats = {
            "roi_features": rng.uniform(0, 50, size=(n, 128, 256)).astype(np.float16),
            "roi_mask": np.arange(128) < rng.integers(20, 129, size=(n, 1)),
            "targets": rng.normal(size=(n, 128, 10)).astype(np.float32),
        }
        return FrameSet([f"{prefix}{i}" for i in range(n)], feats, POOL.detections[:n])

    selection = select(frames(12, "p"), frames(6, "l"), 5)
    assert len(selection.indices) == 5
    assert len(selection.info["proxy_losses"]) == 10
