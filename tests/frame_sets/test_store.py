import errno

import numpy as np
import pytest

from kecor.frame_sets import store
from kecor.frame_sets.files import read_frames
from kecor.frame_sets.store import FrameSetWriter

IDS = [f"{i:03d}" for i in range(10)]


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch):
    monkeypatch.setattr(store, "CHUNK", 4)


def arrays_of(ids):
    """Row i of ``embedding`` is i; frame i has i % 3 detections, each of score i / 10."""
    numbers = np.array([int(i) for i in ids])
    counts = numbers % 3
    of_detections = np.repeat(numbers, counts)
    return {
        "embedding": np.repeat(numbers, 6).reshape(-1, 6).astype(np.float16),
        "det_counts": counts,
        "det_boxes": np.ones((len(of_detections), 7), np.float32),
        "det_scores": of_detections / 10,
        "det_labels": of_detections,
    }


def fill(writer):
    for number, ids in writer.missing():
        writer.write_chunk(number, arrays_of(ids))


def check(folder):
    """The folder holds all frames and nothing unfinished."""
    frames = read_frames(folder)
    assert list(frames.ids) == IDS
    np.testing.assert_array_equal(frames.feats["embedding"], arrays_of(IDS)["embedding"])
    assert frames.feats["embedding"].dtype == np.float16
    for i, found in enumerate(frames.detections):
        np.testing.assert_array_equal(found.scores, np.full(i % 3, i / 10))
    assert not list(folder.glob("chunk_*"))


def test_chunks_join_to_a_frame_set(tmp_path):
    writer = FrameSetWriter(tmp_path / "pool", IDS, ["embedding"])
    assert [ids for _, ids in writer.missing()] == [IDS[:4], IDS[4:8], IDS[8:]]
    fill(writer)
    writer.finish()
    check(tmp_path / "pool")
    again = FrameSetWriter(tmp_path / "pool", IDS, ["embedding"])
    assert list(again.missing()) == []
    again.finish()
    check(tmp_path / "pool")


def test_a_killed_pass_continues_at_the_chunk_it_was_in(tmp_path):
    writer = FrameSetWriter(tmp_path, IDS, ["embedding"])
    for number, ids in list(writer.missing())[:2]:
        writer.write_chunk(number, arrays_of(ids))
    again = FrameSetWriter(tmp_path, IDS, ["embedding"])
    assert [number for number, _ in again.missing()] == [2]
    (tmp_path / "chunk_00000.npz").write_bytes(b"cut short by a power failure")
    assert [number for number, _ in again.missing()] == [0, 2]
    fill(again)
    again.finish()
    check(tmp_path)


@pytest.mark.parametrize("name", ["det_offsets", "embedding", "ids"])
def test_a_kill_while_the_chunks_are_joined_costs_nothing(tmp_path, monkeypatch, name):
    writer = FrameSetWriter(tmp_path, IDS, ["embedding"])
    fill(writer)
    write = store.write_atomic

    def killed(path, action):
        if path.stem == name:
            raise KeyboardInterrupt
        write(path, action)

    with monkeypatch.context() as patch:
        patch.setattr(store, "write_atomic", killed)
        with pytest.raises(KeyboardInterrupt):
            writer.finish()
    again = FrameSetWriter(tmp_path, IDS, ["embedding"])
    assert list(again.missing()) == []
    again.finish()
    check(tmp_path)


@pytest.mark.parametrize(("ids", "names"), [(IDS[::-1], ["embedding"]), (IDS, ["embedding", "detections"])])
def test_what_was_computed_for_other_frames_or_other_arrays_is_not_used(tmp_path, ids, names):
    writer = FrameSetWriter(tmp_path, IDS, ["embedding"])
    fill(writer)
    writer.finish()
    assert len(list(FrameSetWriter(tmp_path, ids, names).missing())) == 3


def test_no_frame_and_no_detection_and_large_arrays_are_read_back(tmp_path):
    empty = FrameSetWriter(tmp_path / "empty", [], ["embedding"])
    empty.finish()
    assert len(read_frames(tmp_path / "empty")) == 0
    writer = FrameSetWriter(tmp_path / "large", IDS, ["embedding"])
    for number, ids in list(writer.missing()):
        nothing = {"det_boxes": np.zeros((0, 7)), "det_scores": np.zeros(0), "det_labels": np.zeros(0, np.int64)}
        large = np.full((len(ids), 40_000), float(number))
        writer.write_chunk(number, {"det_counts": np.zeros(len(ids), np.int64), **nothing, "embedding": large})
    writer.finish()
    found = read_frames(tmp_path / "large")
    assert [len(d) for d in found.detections] == [0] * 10
    assert isinstance(found.feats["embedding"], np.memmap)
    np.testing.assert_array_equal(found.feats["embedding"][:, -1], [0] * 4 + [1] * 4 + [2] * 2)


def test_a_full_disk_leaves_no_half_written_chunk(tmp_path, monkeypatch):
    writer = FrameSetWriter(tmp_path, IDS, ["embedding"])

    def full(stream, arrays):
        stream.write(b"PK half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("kecor.frame_sets.store.write_npz", full)
    with pytest.raises(OSError, match="No space"):
        writer.write_chunk(0, arrays_of(IDS[:4]))
    assert [path.name for path in tmp_path.iterdir()] == ["features.json"]
