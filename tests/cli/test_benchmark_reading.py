import time

import pytest

from kecor.benchmarks.reading import cpu_seconds, step_seconds
from kecor.datasets.samples import Samples
from tests.active.tiny import tiny_config, write_config, write_tiny_set


@pytest.fixture
def config(tmp_path):
    return tiny_config(write_tiny_set(tmp_path / "set", 5, 1))


def test_each_step_of_a_sample_is_timed_beside_the_training_step(config, tmp_path, command):
    path = write_config(tmp_path / "tiny.yaml", config)
    code, out, _ = command("benchmark", "reading", path, "--frames", 3, "--set", "schedule.batch_size=2")
    assert code == 0
    title, _, head, _, *rows = out.strip().splitlines()
    assert title == f"{path}: kitti, 3 frames, threads: 1"
    assert head.split() == ["work", "CPU", "ms", "a", "frame", "frames/s", "share", "of", "the", "step"]
    found = {row[:13].strip(): [float(value) for value in row[13:].split()] for row in rows}
    assert list(found) == ["read", "sample", "sample again", "training step"]
    for milliseconds, rate, share in found.values():
        assert milliseconds * rate == pytest.approx(1000, rel=0.05)
        assert share == pytest.approx(milliseconds / found["training step"][0], abs=0.01)
    assert found["training step"][2] == 1


def test_seconds_are_those_of_the_processor():
    def work(turns):
        for _ in range(turns):
            pass
        time.sleep(0.05)

    assert cpu_seconds(work, [1000, 1000]) < 0.03
    many, few = (cpu_seconds(work, [n]) for n in (3_000_000, 300_000))
    assert many > 3 * few


def test_a_training_step_takes_seconds_and_frames_of_the_last_batch_count(config):
    from kecor.datasets import build_dataset

    dataset = build_dataset(config.data, "train")
    samples = Samples(dataset.read, dataset.ids, config.data, training=True)
    assert 0 < step_seconds(config, samples) < 30


def test_no_frame_is_one_line(config, tmp_path, command):
    path = write_config(tmp_path / "tiny.yaml", config)
    assert command("benchmark", "reading", path, "--frames", 0)[0] == 2
    for label in (tmp_path / "set" / "training" / "label_2").iterdir():
        label.unlink()
    code, _, err = command("benchmark", "reading", path)
    assert (code, err.count("\n")) == (2, 1)
    assert "no frame of 'train' is labelled" in err
