from __future__ import annotations

import itertools
import multiprocessing
import random

import numpy as np
import pytest
import torch
from mmengine.logging import MessageHub, MMLogger
from mmengine.registry import DefaultScope
from mmengine.visualization import Visualizer

from kecor.datasets.samples import collate
from kecor.engine.checkpoints import load_checkpoint
from kecor.engine.one_cycle import one_cycle
from kecor.engine.train import train
from kecor.errors import ConfigError, DataError, KecorError, StateError
from tests.engine.fakes import FakeDetector, make_samples, read_frame, same_weights, scalars, schedule, weights


def run(folder, detector=None, samples=None, plan=None, seed=1, **more):
    detector = detector or FakeDetector()
    samples = make_samples(5) if samples is None else samples
    result = train(detector, samples, plan or schedule(), folder, device="cpu", seed=seed, progress=False, **more)
    return detector, result


def batches_by_hand(n, plan, seed):
    """The batches of ``plan.iterations`` steps through pass after pass, or of ``plan.epochs`` separate passes."""
    orders = (np.random.default_rng([seed, number]).permutation(n) for number in itertools.count())
    passes = ([(number, int(index)) for index in order] for number, order in enumerate(orders))
    size = plan.batch_size
    if plan.iterations is not None:
        stream = itertools.chain.from_iterable(passes)
        return [list(itertools.islice(stream, size)) for _ in range(plan.iterations)]
    return [one[i : i + size] for one in itertools.islice(passes, plan.epochs) for i in range(0, n, size)]


def by_hand(samples, plan, seed):
    """The same training as a plain loop: AdamW, one-cycle, clipping."""
    detector = FakeDetector(noise=False)
    optimizer = torch.optim.AdamW(detector.parameters(), weight_decay=plan.weight_decay)
    batches = batches_by_hand(len(samples), plan, seed)
    for step, items in enumerate(batches):
        rate, momentum = one_cycle(step, len(batches), plan)
        optimizer.param_groups[0].update(lr=rate, betas=(momentum, 0.99))
        losses = detector(mode="loss", **collate([samples[item] for item in items]))
        optimizer.zero_grad()
        (losses["loss_centre"] + losses["loss_size"]).backward()
        torch.nn.utils.clip_grad_norm_(detector.parameters(), plan.grad_clip)
        optimizer.step()
    return detector


@pytest.mark.parametrize(
    "changes", [{}, {"grad_clip": 0.05}, {"weight_decay": 0.5, "batch_size": 3}, {"iterations": 20}]
)
def test_it_is_the_plain_training_loop(tmp_path, changes):
    plan = schedule(**changes)
    detector, _ = run(tmp_path, FakeDetector(noise=False), make_samples(7), plan)
    expected = by_hand(make_samples(7), plan, seed=1)
    assert not same_weights(weights(expected), weights(FakeDetector(noise=False)))
    for name, tensor in weights(expected).items():
        torch.testing.assert_close(weights(detector)[name], tensor, rtol=0, atol=1e-6)


def test_what_is_written_and_returned(tmp_path, capsys):
    detector, result = run(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint.pth", "tensorboard", "train.log"]
    other = FakeDetector(seed=9)
    meta = load_checkpoint(other, result.checkpoint)
    assert same_weights(weights(detector), weights(other))
    assert not detector.training
    assert meta["losses"] == result.losses
    assert len(result.losses) == 4
    assert result.seconds > 0
    seen = scalars(tmp_path / "tensorboard")
    assert {"train/loss", "train/loss_centre", "train/epoch_loss", "lr", "momentum", "gradient_norm"} <= set(seen)
    assert len(seen["train/loss"]) == 12
    first = np.mean(seen["train/loss"][:3])
    assert result.losses[0] == pytest.approx(first, rel=1e-6)
    log = (tmp_path / "train.log").read_text().splitlines()
    assert len(log) == 4
    assert "INFO epoch 4/4 loss" in log[-1]
    assert capsys.readouterr() == ("", "")


def test_one_progress_bar(tmp_path, capsys):
    train(FakeDetector(), make_samples(5), schedule(), tmp_path, device="cpu", seed=1)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "epoch 4/4: 100%" in shown.err
    assert "20/20" in shown.err
    assert "loss=" in shown.err
    assert "frame/s" in shown.err
    assert shown.err.count("\n") == 1


def test_a_training_depends_on_its_arguments_alone(tmp_path):
    first, _ = run(tmp_path / "a")
    torch.manual_seed(99)
    run(tmp_path / "b", plan=schedule(epochs=1), seed=5)
    again, _ = run(tmp_path / "c")
    assert same_weights(weights(first), weights(again))
    other, _ = run(tmp_path / "d", seed=2)
    assert not same_weights(weights(first), weights(other))


def test_workers_change_nothing(tmp_path):
    first, _ = run(tmp_path / "a")
    again, _ = run(tmp_path / "b", samples=make_samples(5, workers=2))
    assert same_weights(weights(first), weights(again))


def test_the_process_is_left_as_it_was(tmp_path):
    def states():
        tables = [set(kind._instance_dict) - {"mmengine"} for kind in (MMLogger, MessageHub, Visualizer, DefaultScope)]
        legacy = np.random.get_state()[1].tolist()  # noqa: NPY002
        drawn = random.getstate(), legacy, torch.get_rng_state().tolist()
        return tables, drawn, multiprocessing.get_start_method(allow_none=True)

    before = states()
    run(tmp_path / "a")
    assert states() == before


def test_a_finished_training_is_loaded_not_repeated(tmp_path):
    first, result = run(tmp_path)
    stamp = result.checkpoint.stat().st_mtime_ns
    detector, again = run(tmp_path, FakeDetector(seed=7))
    assert again == result
    assert result.checkpoint.stat().st_mtime_ns == stamp
    assert same_weights(weights(first), weights(detector))
    assert not detector.training


def test_without_resume_it_starts_over(tmp_path):
    run(tmp_path, plan=schedule(epochs=1), seed=4)
    fresh, _ = run(tmp_path, resume=False)
    expected, _ = run(tmp_path / "other")
    assert same_weights(weights(fresh), weights(expected))


@pytest.mark.parametrize(
    ("change", "named"),
    [({"seed": 2}, "seed"), ({"plan": schedule(lr=0.02)}, "schedule"), ({"samples": make_samples(6)}, "frames")],
)
def test_another_training_in_the_folder_is_an_error(tmp_path, change, named):
    run(tmp_path)
    with pytest.raises(StateError, match=f"another {named}"):
        run(tmp_path, **change)


@pytest.mark.parametrize(("n", "batch_size"), [(1, 1), (1, 8), (3, 2), (5, 4)])
def test_few_frames_and_incomplete_batches(tmp_path, n, batch_size):
    _, result = run(tmp_path, samples=make_samples(n), plan=schedule(batch_size=batch_size, epochs=2))
    assert np.isfinite(result.losses).all()
    assert len(scalars(tmp_path / "tensorboard")["train/loss"]) == 2 * -(-n // batch_size)


def test_no_frames(tmp_path):
    with pytest.raises(DataError, match="no frame to train on"):
        run(tmp_path, samples=make_samples(0))


def test_bfloat16_trains_close_to_single_precision(tmp_path):
    single, _ = run(tmp_path / "a", FakeDetector(noise=False))
    half, result = run(tmp_path / "b", FakeDetector(noise=False), plan=schedule(amp="bf16"))
    assert np.isfinite(result.losses).all()
    assert not same_weights(weights(single), weights(half))
    assert all(tensor.dtype == torch.float32 for tensor in weights(half).values())
    for name, tensor in weights(single).items():
        torch.testing.assert_close(weights(half)[name], tensor, rtol=0, atol=0.05)


def test_fp16_needs_a_cuda_device(tmp_path):
    with pytest.raises(ConfigError, match=r"schedule\.amp: fp16 needs a CUDA device"):
        run(tmp_path, plan=schedule(amp="fp16"))


def read_without_boxes(frame_id):
    """The fake detector's loss is not a number on a frame without boxes."""
    frame = read_frame(frame_id)
    if frame_id == "000003":
        frame.boxes, frame.names = frame.boxes[:0], frame.names[:0]
    return frame


def test_a_loss_that_is_not_finite_names_the_frames_and_keeps_the_last_good_epoch(tmp_path):
    good = make_samples(4)
    run(tmp_path / "good", samples=good)
    with pytest.raises(KecorError) as error:
        run(tmp_path / "bad", samples=make_samples(4, read=read_without_boxes))
    message = str(error.value)
    assert "epoch 1, iteration" in message
    assert "000003" in message
    assert "loss is nan" in message
    assert "schedule.lr" in message
    assert not list((tmp_path / "bad").glob("*.pth"))


def test_a_gradient_that_is_not_finite_is_caught_before_it_is_saved(tmp_path):
    class Spiky(FakeDetector):
        def forward(self, mode="tensor", **batch):
            losses = super().forward(mode, **batch)
            # its value is 0, its slope infinite
            return {**losses, "loss_root": (self.box[1].bias[0] * 0).abs().sqrt()}

    with pytest.raises(KecorError, match="the gradient's norm is nan"):
        run(tmp_path, Spiky())
    assert not list(tmp_path.glob("*.pth"))


def test_a_training_that_blows_up_says_so(tmp_path):
    class Growing(FakeDetector):
        def forward(self, mode="tensor", **batch):
            return {name: loss * 1e30 for name, loss in super().forward(mode, **batch).items()}

    with pytest.raises(KecorError, match=r"training diverged .* Lower schedule\.lr"):
        run(tmp_path, Growing(), plan=schedule(lr=1e25, epochs=20))
