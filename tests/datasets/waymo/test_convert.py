"""Conversion: what it writes, resuming, killed runs, faulty segments."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kecor.datasets.waymo import convert
from kecor.datasets.waymo.range_images import frame_points
from kecor.datasets.waymo.segments import FRAME
from kecor.errors import DataError
from kecor.simulation.waymo import write_tfrecord
from tests.datasets.waymo.segment import CONTEXT, frames, write_v1, write_v2

OTHER = "456_000_020_000"


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture
def raw(tmp_path):
    write_v1(tmp_path / "raw")
    write_v1(tmp_path / "raw", "validation", OTHER, seed=1)
    return tmp_path / "raw"


def run(raw, out, **settings):
    return convert(raw, out, progress=False, **{"workers": 1, **settings})


def test_clouds_labels_and_index_are_written(raw, tmp_path):
    done = run(raw, tmp_path / "out")
    assert {name: (s.frames, s.objects, s.labelled, s.empty) for name, s in done.items()} == {
        CONTEXT: (4, 20, True, []),
        OTHER: (4, 20, True, []),
    }
    assert (tmp_path / "out/ImageSets/train.txt").read_text() == f"{CONTEXT}\n"
    assert (tmp_path / "out/ImageSets/val.txt").read_text() == f"{OTHER}\n"
    folder = tmp_path / "out" / "segments" / CONTEXT
    index = np.load(folder / "frames.npy")
    assert index.dtype == FRAME
    for number, frame in enumerate(frames()):
        points, counts = frame_points(frame)
        assert np.array_equal(np.load(folder / f"points/{number:06d}.npy"), points)
        assert np.array_equal(np.load(folder / f"labels/{number:06d}.npy"), frame.labels)
        assert index["number"][number] == number
        assert index["timestamp"][number] == frame.timestamp
        assert np.array_equal(index["pose"][number], frame.pose)
        assert np.array_equal(index["n_points"][number], counts)
    assert done[CONTEXT].points == index["n_points"].sum()


def test_v2_gives_the_same_files_but_zones(raw, tmp_path):
    write_v2(tmp_path / "raw2")
    run(raw, tmp_path / "one")
    run(tmp_path / "raw2", tmp_path / "two")
    one, two = (contents(tmp_path / name / "segments" / CONTEXT) for name in ("one", "two"))
    assert one.pop("zones.npy")
    assert one == two


def test_processes_write_the_same_files(raw, tmp_path):
    run(raw, tmp_path / "one")
    run(raw, tmp_path / "two", workers=2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_finished_segments_are_left_alone(raw, tmp_path):
    out = tmp_path / "out"
    run(raw, out)
    before = contents(out)
    marked = out / "segments" / CONTEXT / "points" / "000000.npy"
    marked.write_bytes(b"mine")
    assert run(raw, out) == {}
    assert marked.read_bytes() == b"mine"
    marked.write_bytes(before[str(marked.relative_to(out))])
    (out / "segments" / OTHER / "frames.npy").unlink()
    (out / "segments" / OTHER).rename(out / "segments" / f".{OTHER}.tmp")
    assert list(run(raw, out)) == [OTHER]
    assert contents(out) == before


def test_a_killed_run_leaves_no_half_segment(raw, tmp_path):
    write_v1(raw, "training", "789_000", count=60)
    run(raw, tmp_path / "whole")
    out = tmp_path / "out"
    code = f"from kecor.datasets.waymo import convert; convert({str(raw)!r}, {str(out)!r}, workers=1, progress=False)"
    process = subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[3])
    while not (out / "segments" / ".789_000.tmp" / "points" / "000005.npy").exists() and process.poll() is None:
        time.sleep(0.005)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert (out / "segments" / CONTEXT).exists()
    assert not (out / "segments" / "789_000").exists()
    assert list(run(raw, out)) == ["789_000", OTHER]
    assert contents(out) == contents(tmp_path / "whole")


def test_a_faulty_segment_does_not_stop_the_others(raw, tmp_path):
    path = next((raw / "training").glob("*.tfrecord"))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match=rf"1 of 2 segments were not converted; the first: .*{CONTEXT}.*record 3"):
        run(raw, tmp_path / "out")
    assert [p.name for p in (tmp_path / "out" / "segments").iterdir() if p.is_dir()] == [OTHER]
    assert sorted(p.name for p in (tmp_path / "out" / "ImageSets").iterdir()) == ["val.txt"]
    write_v1(raw)
    assert list(run(raw, tmp_path / "out")) == [CONTEXT]


def test_an_interval_is_kept_for_a_folder(raw, tmp_path):
    done = run(raw, tmp_path / "out", interval=3)
    assert done[CONTEXT].frames == 2
    names = sorted(p.name for p in (tmp_path / "out" / "segments" / CONTEXT / "points").iterdir())
    assert names == ["000000.npy", "000003.npy"]
    with pytest.raises(DataError, match=r"'interval': 3.*another folder or the same interval"):
        run(raw, tmp_path / "out")
    with pytest.raises(DataError, match="interval 0"):
        run(raw, tmp_path / "new", interval=0)


def test_lists_say_which_segments_belong_to_which_split(raw, tmp_path):
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "val.txt").write_text(f"segment-{CONTEXT}_with_camera_labels.tfrecord\n")
    assert list(run(raw, tmp_path / "out", lists=tmp_path / "lists")) == [CONTEXT]
    assert (tmp_path / "out/ImageSets/val.txt").read_text() == f"{CONTEXT}\n"
    assert not (tmp_path / "out/ImageSets/train.txt").exists()


def test_nothing_to_convert_is_said(tmp_path):
    with pytest.raises(DataError, match=r"raw: no such folder"):
        run(tmp_path / "raw", tmp_path / "out")
    (tmp_path / "raw").mkdir()
    with pytest.raises(DataError, match="no segment here; expected training, validation, testing"):
        run(tmp_path / "raw", tmp_path / "out")
    write_v1(tmp_path / "raw")
    write_v2(tmp_path / "raw")
    with pytest.raises(DataError, match=f"segment {CONTEXT} is also in"):
        run(tmp_path / "raw", tmp_path / "out")


def test_files_of_version_1_0_are_refused(tmp_path):
    old = list(frames())
    for frame in old:
        frame.labels["n_points"] = 0
    write_tfrecord(tmp_path / "raw/training/a.tfrecord", old)
    with pytest.raises(DataError, match=r"a\.tfrecord: num_lidar_points_in_box is 0 for all 20 labels"):
        run(tmp_path / "raw", tmp_path / "out")


def test_frames_without_range_images_are_counted(tmp_path):
    first, second, *rest = frames()
    write_tfrecord(tmp_path / "raw/training/a.tfrecord", [first, replace(second, lasers=[]), *rest])
    assert run(tmp_path / "raw", tmp_path / "out")["a"].empty == [1]
