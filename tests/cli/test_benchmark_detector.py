import re
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from kecor.benchmarks import detector as bench_detector
from kecor.benchmarks import floor as bench_floor
from kecor.benchmarks import stage_times as bench_stage_times
from kecor.config import load_config
from kecor.detectors import build_detector
from kecor.detectors.layers.sparse import sparse_tensor, strided_block, submanifold_block, use_device
from kecor.errors import ConfigError
from tests.datasets.small_set import write_set
from tests.detectors.synthetic import BOXES, LABELS, SMALL, scene, tiny_batch, tiny_data

CONFIG = Path(__file__).parents[2] / "configs" / "kitti" / "second_small.yaml"


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def tiny_sample() -> dict:
    batch = tiny_batch()
    sample = {name: batch[name].numpy()[:, 1:] for name in ("points", "voxel_coords")}
    sample["voxel_features"] = batch["voxel_features"].numpy()
    return {**sample, "frame_id": "000000", "gt_boxes": BOXES, "gt_labels": LABELS}


@pytest.mark.parametrize(
    ("layer", "shape", "flops", "numbers"),
    [
        (nn.Conv2d(3, 8, 3, stride=2, padding=1), (2, 3, 9, 12), 2 * 3 * 8 * 9 * 2 * 5 * 6, 648 + 224 + 480),
        (nn.ConvTranspose2d(4, 6, 2, stride=2), (1, 4, 5, 7), 2 * 4 * 6 * 4 * 5 * 7, 140 + 102 + 840),
        (nn.Linear(5, 7), (11, 5), 2 * 5 * 7 * 11, 55 + 42 + 77),
    ],
)
def test_operations_are_counted_by_their_formula_and_run_again_alone(layer, shape, flops, numbers):
    floor = bench_floor
    with torch.no_grad(), floor.Recorder(layer) as recorder:
        out = layer(torch.randn(shape)).relu()
    (call,) = recorder.calls
    assert (call.flops, call.moved, call.dtype) == (flops, 4 * numbers, torch.float32)
    assert len(call.alone) == (2 if len(shape) == 4 else 1)
    assert all(prepare()().shape == out.shape for prepare in call.alone)


@pytest.mark.parametrize(
    ("block", "stride", "padding"),
    [
        (submanifold_block(4, 6, "a"), 1, 1),
        (strided_block(4, 6, "a"), 2, 1),
        (strided_block(4, 6, "a", (3, 1, 1), (2, 1, 1), (0, 0, 0)), (2, 1, 1), 0),
    ],
)
def test_a_sparse_convolution_is_one_call_with_the_products_a_dense_one_counts(block, stride, padding):
    floor = bench_floor
    active = (torch.rand(2, 9, 12, 10, generator=torch.Generator().manual_seed(0)) < 0.15).float()
    coords = active.nonzero()
    use_device(block.eval(), torch.device("cpu"))
    with torch.no_grad(), floor.Recorder(block) as recorder:
        out = block(sparse_tensor(torch.randn(len(coords), 4), coords, (9, 12, 10), 2))
    kernel = torch.ones(1, 1, *block[0].kernel_size)
    neighbours = F.conv3d(active[:, None], kernel, stride=stride, padding=padding)[:, 0]
    pairs = neighbours[out.indices.long().unbind(1)].sum()
    (call,) = recorder.calls
    assert call.flops == 2 * float(pairs) * 4 * 6
    assert call.moved == 4 * (len(coords) * 4 + len(out.features) * 6 + block[0].weight.numel())
    assert call.alone[0]()().features.shape == out.features.shape
    assert not block[0]._forward_hooks
    assert not block[0]._forward_pre_hooks


def test_the_floor_is_what_takes_longer_to_compute_or_to_move():
    floor = bench_floor
    calls = [floor.Call(300.0, 10.0, torch.float32, []), floor.Call(800.0, 10.0, torch.bfloat16, [])]
    rates = {torch.float32: 100.0, torch.bfloat16: 400.0}
    assert floor.floor_seconds(calls, rates, bandwidth=100.0) == 5.0
    assert floor.floor_seconds(calls, rates, bandwidth=2.0) == 10.0
    assert floor.floor_seconds([], rates, bandwidth=2.0) == 0.0


@pytest.mark.parametrize("amp", ["none", "bf16"])
def test_stages_of_a_tiny_detector(amp):
    times = bench_stage_times
    detector = build_detector(SMALL, tiny_data())
    before = [value.clone() for value in detector.state_dict().values()]
    found = times.measure(detector, tiny_sample(), repeat=1, amp=amp)
    assert all(map(torch.equal, before, detector.state_dict().values()))
    assert list(found.stages) == [*detector.stages, times.POST_PROCESSING]
    assert all(time > 0 for time in found.stages.values())
    head = sum(call.flops for call in found.calls["dense_head"])
    assert head == 2 * 16 * 16 * 64 * 6 * (3 + 7 + 2)
    assert {call.dtype for call in found.calls["backbone_2d"]} == {torch.bfloat16 if amp == "bf16" else torch.float32}
    assert {call.dtype for name in ("backbone_3d", "dense_head") for call in found.calls[name]} == {torch.float32}
    assert len(found.calls["backbone_3d"]) == 12
    assert found.floors[times.POST_PROCESSING] == found.alone[times.POST_PROCESSING] == 0
    assert found.training == {}
    header, _, *lines = times.report(found).splitlines()
    rows = {line.split()[0]: line.split()[1:] for line in lines[:6]}
    assert header.split() == ["stage", "ms", "share", "alone", "ms", "Gflop", "MB", "floor", "ms", "times", "floor"]
    assert list(rows) == [*found.stages, "total"]
    assert sum(float(row[1]) for name, row in rows.items() if name != "total") == pytest.approx(1, abs=0.03)
    assert sum(found.stages.values()) / found.total == pytest.approx(1)
    ratio = float(re.search(r"total / convolutions alone: (\S+)", lines[-1])[1])
    assert ratio == pytest.approx(found.total / sum(found.alone.values()), abs=0.01)


def test_training_is_timed_on_request():
    times = bench_stage_times
    found = times.measure(build_detector(SMALL, tiny_data()), tiny_sample(), repeat=1, train=True)
    assert found.training.keys() == {"forward", "backward"}
    assert re.fullmatch(
        r"training: .* ms, forward .*, backward .*; training / inference: .*", times.report(found).splitlines()[-1]
    )


def test_a_file_reads_as_the_frame_of_its_data_set(tmp_path):
    detector, root = bench_detector, write_set(tmp_path)
    config = load_config(CONFIG)
    by_file = detector.read_sample(config, root / "training" / "velodyne" / "a1.bin")
    by_id = detector.read_sample(config, data_root=str(root), frame_id="a1")
    assert all(np.array_equal(by_file[name], by_id[name]) for name in ("points", "voxel_features", "voxel_coords"))
    assert (len(by_file["gt_boxes"]), len(by_id["gt_boxes"])) == (0, 2)
    assert detector.read_sample(config, data_root=str(root))["frame_id"] == "b0"
    (root / "training" / "calib" / "a1.txt").unlink()
    whole = detector.read_sample(config, root / "training" / "velodyne" / "a1.bin")
    assert len(whole["points"]) > len(by_file["points"]) > 0


def test_configs_are_compared_with_the_first(tmp_path):
    cloud = tmp_path / "cloud.bin"
    scene(BOXES, np.random.default_rng(0)).tofile(cloud)
    options = {"data_root": None, "checkpoint": None, "train": False, "amp": "none", "device": "cpu"}
    run = bench_detector.benchmark_detector
    text = run([CONFIG, CONFIG], cloud, frame_id=None, repeat=1, **options)
    assert text.count("total / convolutions alone") == 2
    header, _, first, second = text.splitlines()[-4:]
    assert header.split()[:3] == ["config", "ms", "frames/s"]
    assert first.split()[0] == second.split()[0] == str(CONFIG)
    assert first.split()[-1] == "1.00"
    with pytest.raises(ConfigError, match="--repeat: got 0"):
        run([CONFIG], cloud, frame_id=None, repeat=0, **options)
    with pytest.raises(ConfigError, match="--frame-id"):
        run([CONFIG], cloud, frame_id="a1", repeat=1, **options)


def test_default_configs_are_those_of_kitti():
    names = {path.stem for path in bench_detector.kitti_configs()}
    assert {"second", "second_small", "second_iou", "pv_rcnn"} <= names
