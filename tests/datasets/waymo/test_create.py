"""The command that converts."""

import argparse
from dataclasses import replace

import pytest

from kecor.cli.create.waymo import add_arguments, run
from kecor.datasets.waymo import WaymoDataset
from kecor.simulation.waymo import write_tfrecord
from tests.datasets.waymo.segment import CLASSES, frames, write_v1


def command(*arguments):
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return run(parser.parse_args([str(argument) for argument in arguments]))


@pytest.mark.parametrize("layout", ["kecor", "openpcdet"])
def test_a_folder_is_converted_and_summed_up(tmp_path, capsys, layout):
    write_v1(tmp_path / "raw")
    out = tmp_path / "out"
    arguments = ("--raw", tmp_path / "raw", "--out", out, "--layout", layout, "--interval", 2, "--workers", 1)
    assert command(*arguments) == 0
    text = capsys.readouterr().out
    assert "1 segments converted: 2 frames" in text
    assert "10 labels" in text
    assert "warning" not in text
    assert len(WaymoDataset(out, "train", CLASSES)) == 2
    assert command(*arguments) == 0
    assert "0 segments converted" in capsys.readouterr().out


def test_what_is_missing_is_said(tmp_path, capsys):
    first, *rest = frames()
    unlabelled = [replace(frame, labels=frame.labels[:0]) for frame in (replace(first, lasers=[]), *rest)]
    write_tfrecord(tmp_path / "raw" / "testing" / "a.tfrecord", unlabelled)
    assert command("--raw", tmp_path / "raw", "--out", tmp_path / "out", "--workers", 1) == 0
    text = capsys.readouterr().out
    assert "warning: a: 1 of 4 frames have no range images and so no points (frame 0)" in text
    assert "1 of them have no label in any frame and count as not labelled, such as a" in text
    dataset = WaymoDataset(tmp_path / "out", "test", CLASSES)
    assert [dataset.is_labelled(frame_id) for frame_id in dataset.ids] == [False] * 4
    assert dataset.read(dataset.ids[0], labels=False).points.shape == (0, 5)
