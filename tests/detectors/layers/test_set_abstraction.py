import copy
from itertools import chain

import pytest
import torch

from kecor.detectors.layers.set_abstraction import SetAbstraction
from kecor.errors import ConfigError
from tests.detectors.plain_pv_rcnn import PlainSetAbstraction, assert_near, randomise

CHANNELS = 4
ARCHITECTURE = {"mlps": [[8, 6], [5], [7, 6, 5]], "radii": [0.7, 1.6, 0.9], "samples": [4, 16, 1]}


def cloud(n: int, seed: int, spread: float = 1.5) -> torch.Tensor:
    """(n, 3) points around (20, -5, -1)."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(n, 3, generator=generator) * spread + torch.tensor([20.0, -5, -1])


def features(points: list[torch.Tensor]) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(9)
    return [torch.randn(len(p), CHANNELS, generator=generator) for p in points]


def frames() -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Points and centres of: a crowd, with more neighbours than samples; nothing; nobody who asks; duplicates and
    centres that are alone."""
    crowd, copies = cloud(90, 0), cloud(12, 1)
    points = [crowd, crowd[:0], cloud(5, 2), torch.cat([copies, copies, copies[:3]])]
    centres = [crowd[::9] + 0.1, cloud(3, 3), crowd[:0], torch.cat([copies[:6], copies[:2], cloud(2, 4) + 50])]
    return points, centres


def layers(training: bool) -> tuple[SetAbstraction, PlainSetAbstraction]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layer = SetAbstraction(CHANNELS, **ARCHITECTURE, key="k").train(training)
    randomise(layer)
    return layer, PlainSetAbstraction(layer)


def gradient(tensor: torch.Tensor) -> torch.Tensor:
    """Zeros where nothing depends on the tensor."""
    return torch.zeros_like(tensor) if tensor.grad is None else tensor.grad


def compare(layer, plain, points, centres) -> None:
    """Outputs, gradients of all inputs and parameters, and statistics."""
    inputs = (points, features(points), centres)
    ours, theirs = (
        [[t.to(kind, copy=True).requires_grad_() for t in tensors] for tensors in inputs]
        for kind in (torch.float32, torch.float64)
    )
    got, expected = layer(*ours), plain(*theirs)
    assert_near(got, expected, 2e-5)
    upstream = torch.randn(expected.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    got.backward(upstream.float())
    expected.backward(upstream)
    for a, b in zip(layer.parameters(), plain.parameters()):
        assert_near(a.grad, b.grad, 1e-4)
    for a, b in zip(chain(*ours), chain(*theirs)):
        assert_near(gradient(a), gradient(b), 1e-4)
    for name, value in plain.state_dict().items():
        assert_near(layer.state_dict()[name], value, 1e-5)


@pytest.mark.parametrize("training", [True, False])
def test_is_the_published_layer(training):
    layer, plain = layers(training)
    points, centres = frames()
    compare(layer, plain, points, centres)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("which", [[0], [1], [3], [1, 0], [0, 3, 1, 2]])
def test_is_the_published_layer_on_some_of_the_frames(which, training):
    points, centres = ([part[i] for i in which] for part in frames())
    compare(*layers(training), points, centres)


def test_the_cases_are_there():
    """Crowded and lone centres at one radius, and points that lie on each other."""
    points, centres = frames()
    near = [(torch.cdist(c, p) < 0.7).sum(dim=1) for p, c in zip(points, centres)]
    assert near[0].max() > ARCHITECTURE["samples"][0]
    assert near[3].min() == 0 < near[3].max()
    assert len(points[3].unique(dim=0)) < len(points[3])


@pytest.mark.parametrize("training", [True, False])
def test_without_centres_nothing_comes_out_and_nothing_moves(training):
    layer, _ = layers(training)
    before = copy.deepcopy(layer.state_dict())
    points, centres = frames()
    assert layer(points, features(points), [c[:0] for c in centres]).shape == (0, layer.out_channels)
    assert all(torch.equal(value, before[name]) for name, value in layer.state_dict().items())


def test_a_frame_reads_the_same_alone_and_in_a_batch():
    layer, _ = layers(training=False)
    points, centres = frames()
    given = features(points)
    together = layer(points, given, centres).split([len(c) for c in centres])
    for frame, expected in enumerate(together):
        alone = layer(points[frame : frame + 1], given[frame : frame + 1], centres[frame : frame + 1])
        torch.testing.assert_close(alone, expected, atol=1e-5, rtol=0)


def test_far_from_the_origin_offsets_keep_their_precision():
    """75 m away, as at the rim of Waymo's range."""
    layer, plain = layers(training=False)
    points, centres = ([t + torch.tensor([55.0, -70.0, 0.0]) for t in part] for part in frames())
    given = features(points)
    assert_near(layer(points, given, centres), plain(points, given, centres), 1e-4)


def test_autocast_changes_nothing():
    layer, _ = layers(training=False)
    points, centres = frames()
    given = features(points)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = layer(points, given, centres)
    torch.testing.assert_close(mixed, layer(points, given, centres), atol=0, rtol=0)
    half = layer(points, [f.bfloat16() for f in given], centres)
    assert half.dtype == torch.float32


@pytest.mark.parametrize(
    "changes",
    [
        {"radii": [1.0]},
        {"samples": [1, 2, 3, 4]},
        {"mlps": [[8], [], [8]]},
        {"radii": [1, 2, 0]},
        {"samples": [0, 1, 1]},
    ],
)
def test_senseless_values_are_named(changes):
    with pytest.raises(ConfigError, match=r"detector\.x"):
        SetAbstraction(4, **{**ARCHITECTURE, **changes}, key="detector.x")
