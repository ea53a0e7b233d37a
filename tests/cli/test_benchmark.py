import os
import time

import numpy as np
import pytest
import torch

from kecor.benchmarks import measure as bench_measure
from kecor.benchmarks import plain_selection as bench_plain_selection
from kecor.benchmarks import selection as bench_selection
from kecor.benchmarks import synthetic as bench_synthetic
from kecor.coding_rate import GreedyCodingRate
from kecor.ntk import PoolKernel, ProxyHead, RoiFrames, build_kernel, fit_proxy, training_pairs
from kecor.ntk.jacobians import factor_sizes, layer_factors
from kecor.ntk.kernels import JacobianNTK


@pytest.mark.parametrize("arrangement", ["per_roi", "flatten"])
def test_plain_reference_picks_what_exact_search_picks_when_its_sketch_is_exact(tmp_path, monkeypatch, arrangement):
    synthetic, plain = bench_synthetic, bench_plain_selection
    synthetic.write_frames(tmp_path / "pool", 40, rois=4, channels=6, seed=1)
    synthetic.write_frames(tmp_path / "labelled", 10, rois=4, channels=6, seed=2)
    pool, labelled = synthetic.frames_in(tmp_path / "pool"), synthetic.frames_in(tmp_path / "labelled")
    scaling = RoiFrames(labelled).statistics()
    known = RoiFrames(labelled, arrangement, scaling)
    pairs = training_pairs(known, labelled.feats["targets"])
    head = fit_proxy(*pairs, torch.Generator().manual_seed(0), steps=20, hidden=(8, 4)).head.double()
    normalise, bonus = arrangement == "per_roi", synthetic.bonus_of(pool)
    kernel = PoolKernel(
        build_kernel("ntk", known, head),
        RoiFrames(pool, arrangement, scaling, torch.float64),
        RoiFrames(labelled, arrangement, scaling, torch.float64),
        normalise=normalise,
    )
    exact = [pick.index for pick in GreedyCodingRate(kernel, 0.5, bonus).picks()][:8]
    selection = bench_selection
    arrays = [selection._standardised(frames, arrangement, scaling) for frames in (pool, labelled)]

    def jacobians(x, w, layers, projections):
        factors = layer_factors(head, x, w, "sum")
        return torch.cat([torch.cat([(d.mT @ a).flatten(1), d.sum(1)], 1) for a, d in factors], 1)

    monkeypatch.setattr(plain, "_sketch", jacobians)
    rank = sum((a + 1) * d for a, d in factor_sizes(head, "sum"))
    found = plain.plain_selection(*arrays, list(head.layers), rank, 0.5, bonus, 8, normalise, batch=7, seed=0)
    assert found.tolist() == exact


def test_plain_sketch_estimates_the_kernel():
    plain, generator = bench_plain_selection, torch.Generator().manual_seed(1)
    head = ProxyHead(6, 3, generator, (8, 4)).double()
    x, w = torch.randn(5, 4, 6, dtype=torch.float64), torch.rand(5, 4, dtype=torch.float64)
    sizes = [(layer.in_features + 1, layer.out_features) for layer in head.layers]
    projections = [[torch.randn(n, 40000, dtype=torch.float64, generator=generator) for n in pair] for pair in sizes]
    sketch = plain._sketch(x, w, list(head.layers), projections)
    kernel = JacobianNTK(head, "sum")
    rep = kernel.represent(x, w)
    norms = kernel.diagonal(rep).sqrt()
    assert torch.allclose(sketch @ sketch.T / norms.outer(norms), kernel.gram(rep, rep) / norms.outer(norms), atol=0.05)


def test_synthetic_frames_are_a_function_of_the_seed_and_prefixes_agree(tmp_path):
    synthetic = bench_synthetic
    for name in ("a", "b"):
        synthetic.write_frames(tmp_path / name, 300, rois=3, channels=5, seed=4)
    a, b = (synthetic.frames_in(tmp_path / name) for name in ("a", "b"))
    few = synthetic.frames_in(tmp_path / "a", 7)
    assert all(np.array_equal(a.feats[name], b.feats[name]) for name in a.feats)
    assert np.array_equal(few.feats["roi_features"], a.feats["roi_features"][:7])
    assert list(few.ids) == sorted(few.ids)
    assert len(few) == 7


def _hold_128_mib():
    with bench_measure.Meter() as meter:
        held = np.ones(1 << 24)
        time.sleep(0.2)  # the meter samples every 20 ms
        del held
    return meter.extra_bytes, meter.seconds


def test_meter_sees_memory_that_is_held_and_given_back():
    # in a new process: here an earlier test may have left as much free memory in the heap
    extra_bytes, seconds = bench_measure.in_new_process(_hold_128_mib)
    assert 100e6 < extra_bytes < 500e6
    assert seconds >= 0.2


def test_a_new_process_is_another_one():
    assert bench_measure.in_new_process(os.getpid) != os.getpid()


def test_table_compares_contenders(tmp_path, monkeypatch):
    monkeypatch.setattr(bench_selection, "in_new_process", lambda function, *args: function(*args))
    table = bench_selection.benchmark_selection(
        sizes=[30], arrangements=["per_roi"], contenders=["plain", "float64", "float32"], plain_limit=100, picks=5,
        labelled=8, rois=4, channels=6, folder=tmp_path, device="cpu",
    )  # fmt: skip
    header, _, *lines = table.splitlines()
    columns = [line.split() for line in lines]
    assert header.split()[:3] == ["frames", "arrangement", "selector"]
    assert [row[2] for row in columns] == ["plain", "float64", "float32"]
    assert columns[2][-2:] == ["1.00", "1.0000"]
    assert columns[0][5] == "1.00"
    assert list(tmp_path.iterdir()) == []
