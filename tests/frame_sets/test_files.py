"""Sets of frames in files: what is written comes back, and what is wrong is named by file, array, row and frame."""

import os
import pickle
import re
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from kecor.errors import DataError
from kecor.frame_sets import files as frame_files
from kecor.frame_sets import validation as frame_checks
from kecor.frame_sets.files import read_frames, write_frames
from kecor.frame_sets.schema import ARRAYS
from kecor.structures import Detections, FrameSet
from tests.acquisition.worlds import CHANNELS, N_ROIS, world

FIELDS = ("boxes", "scores", "labels", "logits", "n_points")


def assert_equal(one, other):
    """Two sets of frames say the same, array by array and detection by detection."""
    np.testing.assert_array_equal(one.ids, other.ids)
    assert one.feats.keys() == other.feats.keys()
    for name, array in one.feats.items():
        assert array.dtype == other.feats[name].dtype
        np.testing.assert_array_equal(array, other.feats[name])
    assert len(one.detections) == len(other.detections)
    for a, b in zip(one.detections, other.detections):
        for field in FIELDS:
            assert (getattr(a, field) is None) == (getattr(b, field) is None)
            if getattr(a, field) is not None:
                np.testing.assert_array_equal(getattr(a, field), getattr(b, field))


def arrays_of(n=6):
    """The arrays of a file of ``n`` frames with everything in it; frame k has k detections."""
    rng = np.random.default_rng(0)
    counts = np.arange(n)
    m = counts.sum()
    return {
        "ids": np.array([f"f{i}" for i in range(n)]),
        "roi_features": rng.normal(size=(n, 4, 3)).astype(np.float32),
        "roi_mask": np.arange(4) < rng.integers(1, 5, (n, 1)),
        "roi_scores": rng.uniform(size=(n, 4)).astype(np.float32),
        "roi_labels": np.arange(4 * n).reshape(n, 4).astype(np.int8) % 3,
        "roi_logits": rng.normal(size=(n, 4, 3)).astype(np.float32),
        "objects": np.arange(4 * n).reshape(n, 4) % 5 == 0,
        "true_counts": np.arange(3 * n).reshape(n, 3) % 4,
        "pass_logits": rng.normal(size=(n, 4, 5, 3)).astype(np.float32),
        "pass_boxes": rng.uniform(1, 9, (n, 4, 5, 7)).astype(np.float32),
        "embedding": rng.normal(size=(n, 5)).astype(np.float16),
        "targets": rng.normal(size=(n, 4, 2)).astype(np.float32),
        "det_offsets": np.concatenate([[0], np.cumsum(counts)]),
        "det_boxes": rng.uniform(1, 9, (m, 7)).astype(np.float32),
        "det_scores": rng.uniform(size=m).astype(np.float32),
        "det_labels": rng.integers(0, 3, m),
        "det_logits": rng.normal(size=(m, 3)),
        "det_n_points": rng.integers(0, 9, m),
    }


@pytest.mark.parametrize("labelled", [False, True])
@pytest.mark.parametrize("name", ["set.npz", "set"])
def test_what_is_written_comes_back(tmp_path, name, labelled):
    frames = world(13, labelled=labelled)
    write_frames(tmp_path / name, frames)
    assert_equal(read_frames(tmp_path / name), frames)


@pytest.mark.parametrize("n", [0, 1, 3])
@pytest.mark.parametrize("name", ["set.npz", "set"])
def test_few_frames_and_frames_with_next_to_nothing_come_back(tmp_path, name, n):
    frames = FrameSet([f"{i}" for i in range(n)])
    write_frames(tmp_path / name, frames)
    assert_equal(read_frames(tmp_path / name), frames)
    empty = Detections(np.zeros((0, 4)), np.zeros(0), np.zeros(0, np.int64))
    frames = replace(frames, detections=[empty] * n)
    write_frames(tmp_path / name, frames)
    assert_equal(read_frames(tmp_path / name), frames)


def test_a_frame_without_boxes_has_no_say_in_types_and_columns(tmp_path):
    nothing = Detections(np.array([]), np.array([]), np.array([]))
    one = Detections(np.ones((1, 4), np.float32), np.ones(1, np.float32), np.ones(1, np.int64))
    write_frames(tmp_path / "set", FrameSet(["a", "b"], detections=[nothing, one]))
    first, second = read_frames(tmp_path / "set").detections
    assert (first.boxes.shape, first.labels.dtype) == ((0, 4), np.int64)
    np.testing.assert_array_equal(second.boxes, one.boxes)


def test_files_of_numpy_alone_are_read(tmp_path):
    arrays = arrays_of()
    np.savez_compressed(tmp_path / "set.npz", **arrays)
    (tmp_path / "set").mkdir()
    for name, array in arrays.items():
        np.save(tmp_path / "set" / f"{name}.npy", array)
    (tmp_path / "set" / "notes.txt").write_text("other files do no harm")
    (tmp_path / "set" / ".hidden.npy").write_bytes(b"")
    frames = read_frames(tmp_path / "set.npz")
    assert_equal(read_frames(tmp_path / "set"), frames)
    assert frames.n_boxes().tolist() == [0, 1, 2, 3, 4, 5]
    np.testing.assert_array_equal(frames.detections[3].boxes, arrays["det_boxes"][3:6])
    assert frames.feats["embedding"].dtype == np.float16


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (np.array([b"k\xc3\xb6ln", b"b"]), ["köln", "b"]),
        (np.array([7, 12], np.uint8), ["7", "12"]),
        (np.array([-1, 2**40]), ["-1", str(2**40)]),
        (np.array(["a", "b"], ">U1"), ["a", "b"]),
    ],
)
def test_ids_may_be_bytes_or_integers(tmp_path, ids, expected):
    np.savez(tmp_path / "set.npz", ids=ids)
    assert read_frames(tmp_path / "set.npz").ids.tolist() == expected


def test_masks_of_integers_and_short_types_are_read(tmp_path):
    arrays = arrays_of()
    narrow = {"roi_mask": np.uint8, "det_labels": np.uint8, "det_offsets": np.uint16, "det_boxes": np.int16}
    narrow |= {"roi_features": np.float16, "det_scores": np.float16, "targets": bool}
    np.savez(tmp_path / "set.npz", **{name: a.astype(narrow.get(name, a.dtype)) for name, a in arrays.items()})
    frames = read_frames(tmp_path / "set.npz")
    assert frames.feats["roi_mask"].dtype == bool
    np.testing.assert_array_equal(frames.feats["roi_mask"], arrays["roi_mask"])
    assert frames.detections[5].labels.dtype == np.int64


def test_large_arrays_of_a_folder_are_mapped_and_checked_in_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(frame_checks, "VALUES_AT_ONCE", 10 * N_ROIS * CHANNELS)
    frames = world(300)
    frames.feats["roi_features"][~frames.feats["roi_mask"]] = np.nan  # invalid RoIs may hold anything
    frames.feats["roi_scores"][~frames.feats["roi_mask"]] = -1
    monkeypatch.setattr(frame_files, "MAPPED", 1 << 12)
    write_frames(tmp_path / "set", frames)
    again = read_frames(tmp_path / "set")
    assert_equal(again, frames)
    assert isinstance(again.feats["roi_features"], np.memmap)
    row = int(np.flatnonzero(frames.feats["roi_mask"][:, 2])[-1])
    features = np.load(tmp_path / "set" / "roi_features.npy", mmap_mode="r+")
    features[row, 2, 1] = np.inf
    features.flush()
    with pytest.raises(DataError, match=rf"roi_features: row {row} \(frame 'p{row:04d}'\), RoI 2: inf is not finite"):
        read_frames(tmp_path / "set")


def test_writing_again_replaces_what_a_folder_held(tmp_path):
    write_frames(tmp_path / "set", world(5))
    plain = FrameSet(["a"], {"embedding": np.ones((1, 2), np.float32)})
    write_frames(tmp_path / "set", plain)
    assert_equal(read_frames(tmp_path / "set"), plain)
    assert sorted(p.name for p in (tmp_path / "set").iterdir()) == ["embedding.npy", "ids.npy"]
    write_frames(tmp_path / "set", read_frames(tmp_path / "set"))
    assert_equal(read_frames(tmp_path / "set"), plain)


def put(name, index, value):
    """A change that sets one value of an array."""

    def change(arrays):
        arrays[name] = arrays[name].copy()
        arrays[name][index] = value

    return change


def as_type(name, dtype):
    return lambda arrays: arrays.update({name: arrays[name].astype(dtype)})


def made(name, function):
    return lambda arrays: arrays.update({name: function(arrays[name])})


def without(name):
    return lambda arrays: arrays.pop(name)


WRONG = [
    # ids
    (without("ids"), "ids"),
    (made("ids", lambda a: a[:, None]), "ids: expected shape (N,), got (6, 1)"),
    (made("ids", lambda a: np.arange(6.0)), "ids: expected text or integers, got float64"),
    (put("ids", 4, "f1"), "ids: row 4: 'f1' is a duplicate of row 1"),
    (put("ids", 2, ""), "ids: row 2 is empty"),
    (put("ids", 2, " "), "ids: row 2 is empty"),
    (made("ids", lambda a: np.array([*a[:5], "../../x"])), "ids: row 5: '../../x' leaves its folder"),
    (made("ids", lambda a: np.array([*a[:5], "/etc/x"])), "ids: row 5: '/etc/x' begins at the root of a disk"),
    (put("ids", 2, "\x1b"), "ids: row 2: '\\x1b' holds a line break or another control character"),
    (made("ids", lambda a: np.array([b"a", b"\xff", b"c", b"d", b"e", b"f"])), "ids: row 1: the bytes b'\\xff'"),
    # types
    (as_type("roi_features", int), "roi_features: expected floating-point numbers"),
    (as_type("roi_features", np.longdouble), "roi_features: expected floating-point numbers of at most 64 bits"),
    (as_type("embedding", complex), "embedding: expected floating-point numbers"),
    (as_type("embedding", ">f4"), "embedding: has a different byte order"),
    (as_type("roi_mask", float), "roi_mask: expected true and false"),
    (as_type("roi_scores", int), "roi_scores: expected floating-point"),
    (as_type("targets", "U9"), "targets: expected numbers"),
    (as_type("det_offsets", float), "det_offsets: expected integers"),
    (as_type("det_boxes", bool), "det_boxes: expected numbers"),
    (as_type("det_labels", float), "det_labels: expected integers"),
    (as_type("det_n_points", float), "det_n_points: expected integers"),
    # shapes
    (made("roi_features", lambda a: a[:, 0]), "roi_features: expected shape (N, R, C), got (6, 3)"),
    (made("roi_features", lambda a: a[:5]), "roi_features: N is 5 in shape (5, 4, 3), but 6 in ids"),
    (made("roi_mask", lambda a: a[:, :3]), "roi_mask: R is 3 in shape (6, 3), but 4 in roi_features"),
    (made("roi_scores", lambda a: a[:, :3]), "roi_scores: R is 3 in shape (6, 3)"),
    (made("embedding", lambda a: a[0]), "embedding: expected shape (N, D), got (5,)"),
    (made("pass_logits", lambda a: a[:, :, 0]), "pass_logits: expected shape (N, R, P, K), got (6, 4, 3)"),
    (made("pass_logits", lambda a: a[..., :2]), "pass_logits: K is 2 in shape (6, 4, 5, 2), but 3 in roi_logits"),
    (made("pass_boxes", lambda a: a[:, :, :4]), "pass_boxes: P is 4 in shape (6, 4, 4, 7), but 5 in pass_logits"),
    (made("pass_boxes", lambda a: a[..., :4]), "pass_boxes: expected 7 columns (3D), got shape (6, 4, 5, 4)"),
    (made("targets", lambda a: a[:, :3]), "targets: R is 3 in shape (6, 3, 2)"),
    (made("targets", lambda a: a[:3, 0]), "targets: N is 3 in shape (3, 2)"),
    (made("targets", lambda a: a[0, 0, 0]), "targets: expected shape (N, R, T), got ()"),
    (made("det_boxes", lambda a: a[:, :5]), "det_boxes: expected 7 columns (3D) or 4 (2D), got shape (15, 5)"),
    (made("det_boxes", lambda a: a.ravel()), "det_boxes: expected shape (M, 7 or 4)"),
    (made("det_scores", lambda a: a[:9]), "det_scores: M is 9 in shape (9,), but 15 in det_boxes"),
    (made("det_labels", lambda a: a[:, None]), "det_labels: expected shape (M,)"),
    (made("det_logits", lambda a: a[1:]), "det_logits: M is 14 in shape (14, 3)"),
    (made("det_n_points", lambda a: a[1:]), "det_n_points: M is 14 in shape (14,)"),
    (made("det_offsets", lambda a: a[1:]), "det_offsets: N + 1 is 6 in shape (6,), but 7 in ids"),
    # values
    (put("roi_features", (3, 0, 1), np.nan), "roi_features: row 3 (frame 'f3'), RoI 0: nan is not finite"),
    (put("pass_logits", (3, 0, 1, 1), np.nan), "pass_logits: row 3 (frame 'f3'), RoI 0: nan is not finite"),
    (put("pass_boxes", (3, 0, 1, 1), np.inf), "pass_boxes: row 3 (frame 'f3'), RoI 0: inf is not finite"),
    (put("embedding", (5, 2), np.inf), "embedding: row 5 (frame 'f5'): inf is not finite"),
    (made("roi_mask", lambda a: a * 2), "roi_mask: row 0 (frame 'f0'), RoI 0: 2 is neither 0 nor 1"),
    (put("roi_scores", (2, 0), 1.5), "roi_scores: row 2 (frame 'f2'), RoI 0: 1.5 is not in [0, 1]"),
    (put("targets", (1, 0, 1), np.nan), "targets: row 1 (frame 'f1'), RoI 0: nan is not finite"),
    (put("det_boxes", (4, 6), np.nan), "det_boxes: row 4 (frame 'f3'): nan is not finite"),
    (put("det_scores", 0, np.nan), "det_scores: row 0 (frame 'f1'): nan is not in [0, 1]"),
    (put("det_scores", 14, -0.5), "det_scores: row 14 (frame 'f5'): -0.5 is not in [0, 1]"),
    (put("det_labels", 7, -1), "det_labels: row 7 (frame 'f4'): -1 is not a class number"),
    (put("det_labels", 7, 3), "det_labels: row 7 (frame 'f4'): 3 is not a column of det_logits, which has 3"),
    (put("det_logits", (6, 0), -np.inf), "det_logits: row 6 (frame 'f4'): -inf is not finite"),
    (put("det_n_points", 2, -4), "det_n_points: row 2 (frame 'f2'): -4 is negative"),
    (put("det_offsets", 0, 1), "det_offsets: row 0 is 1, not 0"),
    (put("det_offsets", 3, 0), "det_offsets: row 3 is 0, below the 1 of row 2: frame 'f2'"),
    (put("det_offsets", 6, 14), "det_offsets: the last row, 6, is 14; det_boxes has 15 rows"),
    # what is missing or too much
    (without("roi_mask"), "roi_mask (N, R) is missing: roi_features needs it; if every RoI is valid, use np.ones"),
    (without("roi_features"), "roi_features (N, R, C) is missing: roi_logits needs it"),
    (without("det_offsets"), "det_offsets (N + 1,) is missing: det_boxes needs it"),
    (without("det_boxes"), "det_boxes (M, 7 or 4) is missing: det_scores needs it"),
    (without("det_labels"), "det_labels (M,) is missing"),
    (lambda arrays: arrays.update(roi_feature=arrays["ids"]), "unknown array 'roi_feature'; did you mean 'roi_featur"),
    (lambda arrays: arrays.update(xyz=arrays["ids"]), "unknown array 'xyz'; known arrays: ids, roi_features"),
]


@pytest.mark.parametrize(("change", "message"), WRONG)
def test_what_is_wrong_is_named(tmp_path, change, message):
    arrays = arrays_of()
    arrays["roi_mask"][:, 0] = True
    change(arrays)
    path = tmp_path / "set.npz"
    if len(message) % 2:  # one half of the cases as a file, the other as a folder
        np.savez(path, **arrays)
    else:
        path = tmp_path / "set"
        path.mkdir()
        for name, array in arrays.items():
            np.save(path / f"{name}.npy", array)
    with pytest.raises(DataError, match=re.escape(str(path)) + ".*" + re.escape(message)) as caught:
        read_frames(path)
    assert "\n" not in str(caught.value)


def test_targets_of_whole_frames_are_not_masked(tmp_path):
    arrays = arrays_of()
    arrays["roi_mask"][:, 3] = False
    arrays["targets"] = np.ones((6, 4))
    arrays["targets"][2, 3] = np.nan
    np.savez(tmp_path / "set.npz", **arrays)
    with pytest.raises(DataError, match=r"targets: row 2 \(frame 'f2'\): nan is not finite"):
        read_frames(tmp_path / "set.npz")


def test_python_objects_are_never_loaded(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("a pickle was loaded",))

    objects = np.array([Bomb(), "b"], object)
    np.savez(tmp_path / "set.npz", ids=objects)
    with pytest.raises(DataError, match=r"set\.npz: ids: contains Python objects"):
        read_frames(tmp_path / "set.npz")
    (tmp_path / "set").mkdir()
    np.save(tmp_path / "set" / "ids.npy", objects)
    with pytest.raises(DataError, match=r"ids\.npy: contains Python objects"):
        read_frames(tmp_path / "set")
    (tmp_path / "plain.npz").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(DataError, match=r"plain\.npz: is not an \.npz file"):
        read_frames(tmp_path / "plain.npz")


@pytest.mark.parametrize("mapped", [frame_files.MAPPED, 0])
def test_damaged_files_are_named(tmp_path, monkeypatch, mapped):
    monkeypatch.setattr(frame_files, "MAPPED", mapped)
    frames = world(20)
    write_frames(tmp_path / "set.npz", frames)
    write_frames(tmp_path / "set", frames)
    whole = (tmp_path / "set.npz").read_bytes()
    for content in (whole[:-100], whole[:50], b"", b"text"):
        (tmp_path / "set.npz").write_bytes(content)
        with pytest.raises(DataError, match=r"set\.npz: is not an \.npz file"):
            read_frames(tmp_path / "set.npz")
    middle = whole.index(b"roi_features.npy") + 2000
    (tmp_path / "set.npz").write_bytes(whole[:middle] + b"????" + whole[middle + 4 :])
    with pytest.raises(DataError, match=r"set\.npz: roi_features: cannot be read: Bad CRC"):
        read_frames(tmp_path / "set.npz")
    member = tmp_path / "set" / "det_boxes.npy"
    for content in (member.read_bytes()[:-8], member.read_bytes()[:30], b"", whole):
        member.write_bytes(content)
        with pytest.raises(DataError, match=r"det_boxes\.npy: (cannot be read|is not an array|contains)"):
            read_frames(tmp_path / "set")
    np.save(tmp_path / "one.npy", np.ones(3))
    with pytest.raises(DataError, match=r"one\.npy: is a single array"):
        read_frames(tmp_path / "one.npy")
    with pytest.raises(DataError, match=r"none\.npz: no such file or folder"):
        read_frames(tmp_path / "none.npz")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty: contains no ids\.npy"):
        read_frames(tmp_path / "empty")


def test_arrays_larger_than_memory_are_refused_before_they_are_unpacked(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "set.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, megabytes in (("ids", 1), ("embedding", 64)):
            with archive.open(f"{name}.npy", "w") as member:
                for _ in range(megabytes):
                    member.write(bytes(1 << 20))
    assert (tmp_path / "set.npz").stat().st_size < 1 << 17
    monkeypatch.setattr(frame_files, "available_memory", lambda: 65 << 20)
    with pytest.raises(DataError, match="ids: is not an array"):  # unpacked: zeros alone make none
        read_frames(tmp_path / "set.npz")
    monkeypatch.setattr(frame_files, "available_memory", lambda: (65 << 20) - 1)
    message = rf"set\.npz: embedding: does not fit in memory: it has {64 << 20} bytes, all arrays {65 << 20}"
    with pytest.raises(DataError, match=message):
        read_frames(tmp_path / "set.npz")


def test_what_is_no_file_or_too_long_a_list_of_ids_is_refused_unread(tmp_path):
    write_frames(tmp_path / "set", world(4))
    with (tmp_path / "set" / "ids.npy").open("r+b") as stream:
        stream.truncate(64 << 30)
    with pytest.raises(DataError, match=r"ids\.npy: has \d+ bytes; a file of this kind has at most"):
        read_frames(tmp_path / "set")
    write_frames(tmp_path / "set", world(4))
    (tmp_path / "set" / "embedding.npy").unlink(missing_ok=True)
    os.mkfifo(tmp_path / "set" / "embedding.npy")
    with pytest.raises(DataError, match=r"embedding\.npy: cannot be read: is no regular file"):
        read_frames(tmp_path / "set")


def test_what_could_not_be_read_again_is_not_written(tmp_path):
    frames = world(4)
    wrong = [
        (replace(frames, meta={"night": np.zeros(4)}), "unknown array 'night'"),
        (replace(frames, feats={"roi_features": frames.feats["roi_features"]}), "roi_mask"),
        (replace(frames, feats={"embedding": np.full((4, 2), np.nan)}), "embedding: row 0"),
    ]
    for field, value, message in (
        ("logits", None, "det_logits: frame 'p0001' has no rows for 3 boxes"),
        ("scores", np.ones(2, np.float32), "det_scores: frame 'p0001' has 2 rows for 3 boxes"),
        ("boxes", np.ones((3, 4)), "det_boxes: the frames' arrays differ in shape"),
    ):
        detections = list(frames.detections)
        assert len(detections[1]) == 3
        detections[1] = replace(detections[1], **{field: value})
        wrong.append((replace(frames, detections=detections), message))
    for name in ("set.npz", "set"):
        for bad, message in wrong:
            with pytest.raises(DataError, match=re.escape(f"{tmp_path / name}: {message}")):
                write_frames(tmp_path / name, bad)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="file: cannot be written"):
        write_frames(tmp_path / "file", frames)


def test_every_known_array_is_tried_here():
    assert {"ids", *ARRAYS} == set(arrays_of())
