"""What every reader of a user's file owes: size and kind before content, texts with or without a byte-order mark."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest
from torch import nn

from kecor.datasets.kitti.calibration import format_calibration, read_calibration
from kecor.datasets.kitti.files import read_ids, read_plane, read_points, read_split
from kecor.datasets.kitti.images import png_size, read_image_sizes
from kecor.datasets.kitti.index import INDEX_NAME, read_index
from kecor.datasets.kitti.labels import read_objects
from kecor.detectors.pretrained import load_pretrained
from kecor.engine.checkpoints import read_checkpoint
from kecor.errors import DataError, KecorError
from kecor.evaluation.kitti import files as results
from kecor.files import read_json, read_text
from kecor.frame_sets.files import read_frames
from kecor.visualization.run_folder import read_summary
from tests.datasets.small_set import CALIB, CAR_LINE


def split_of(path: Path) -> list[str]:
    """The list ``path``, read as a split of a data set."""
    lists = path.parent / "ImageSets"
    lists.mkdir(exist_ok=True)
    (lists / "train.txt").unlink(missing_ok=True)
    (lists / "train.txt").symlink_to(path)
    return read_split(path.parent, "train")


def index_of(path: Path):
    (path.parent / INDEX_NAME).unlink(missing_ok=True)
    (path.parent / INDEX_NAME).symlink_to(path)
    return read_index(path.parent)


def plain(value):
    """Values that compare by ``==``."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    return {k: plain(v) for k, v in vars(value).items() if k[0] != "_"} if hasattr(value, "__dict__") else value


LABEL = CAR_LINE.format(x=1, z=9)
INDEX = '{"version": 1, "frames": {"000001": {"actions": ["frame excluded"]}}}'
TEXTS = {
    "label": (read_objects, LABEL + LABEL),
    "result": (lambda path: read_objects(path, scored=True), LABEL.strip() + " 0.5\n"),
    "calibration": (read_calibration, format_calibration(CALIB)),
    "split list": (split_of, "000001\n000002\n"),
    "list of ids": (read_ids, "000001\nseq/000002\n"),
    "list to evaluate": (results.read_ids, "000001\n000002\n"),
    "image sizes": (read_image_sizes, "frame,width,height\n000001,1242,375\n"),
    "plane": (read_plane, "# Plane\nWidth 4\nHeight 1\n0.0 -2.0 0.0 3.3\n"),
    "json": (read_json, '{"a": ["ü", 1.5]}\n'),
    "index": (index_of, INDEX),
    "summary": (read_summary, "round,frames,boxes\n0,10,55\n1,20,99\n"),
}
OTHERS = {
    "cloud": read_points,
    "image": png_size,
    "frames": read_frames,
    "pretrained": lambda path: load_pretrained(nn.Linear(1, 1), path),
    "checkpoint": read_checkpoint,
}
READERS = {**{name: read for name, (read, _) in TEXTS.items()}, **OTHERS}


@pytest.mark.parametrize("name", TEXTS)
def test_byte_order_marks_and_line_ends_do_not_matter(tmp_path, name):
    read, text = TEXTS[name]
    path = tmp_path / "a.txt"
    path.write_bytes(text.encode())
    expected = plain(read(path))
    for mark in (b"", b"\xef\xbb\xbf"):
        for end in (b"\n", b"\r\n"):
            path.write_bytes(mark + text.encode().replace(b"\n", end))
            assert plain(read(path)) == expected


@pytest.mark.parametrize("name", TEXTS)
def test_texts_in_another_encoding_are_named(tmp_path, name):
    read, text = TEXTS[name]
    path = tmp_path / "a.txt"
    for data in (text.encode("utf-16"), text.encode() + b"\xfc\n"):
        path.write_bytes(data)
        with pytest.raises(DataError, match="is no UTF-8 text"):
            read(path)


@pytest.mark.parametrize("name", READERS)
def test_pipes_are_refused_without_waiting_for_a_writer(tmp_path, name):
    path = tmp_path / "a.npz"
    os.mkfifo(path)
    with pytest.raises(KecorError, match=r"is no regular file|no such checkpoint"):
        READERS[name](path)


@pytest.mark.parametrize("name", READERS)
def test_devices_are_refused_unread(tmp_path, name):
    path = tmp_path / "a.npz"
    path.symlink_to("/dev/zero")
    with pytest.raises(KecorError, match=r"is no regular file|no such checkpoint"):
        READERS[name](path)


@pytest.mark.parametrize("name", [*TEXTS, "cloud"])
def test_files_that_claim_more_bytes_than_memory_has_are_refused_unread(tmp_path, name):
    path = tmp_path / "a.txt"
    with path.open("wb") as stream:
        stream.truncate(64 << 30)  # no block of it is on the disk
    with pytest.raises(DataError, match=f"has {64 << 30} bytes; a file of this kind has at most"):
        READERS[name](path)


@pytest.mark.parametrize("name", READERS)
def test_a_missing_file_is_one_line(tmp_path, name):
    if name in ("plane", "index"):
        pytest.skip("may be missing")
    with pytest.raises(KecorError, match=r"cannot be read|no such|cannot open"):
        READERS[name](tmp_path / "absent.npz")


@pytest.mark.parametrize("name", TEXTS)
def test_the_limit_itself_is_read(tmp_path, monkeypatch, name):
    """Exactly as many bytes as are allowed are read, one more is refused."""
    path = tmp_path / "a.txt"
    path.write_bytes(TEXTS[name][1].encode())
    size = path.stat().st_size
    assert read_text(path, size) == TEXTS[name][1]
    with pytest.raises(DataError, match=re.escape(f"has {size} bytes; a file of this kind has at most {size - 1}")):
        read_text(path, size - 1)


def test_a_name_no_file_system_takes_is_an_error_not_a_crash(tmp_path):
    for name in ("a\0b", "x" * 5000):
        with pytest.raises(DataError, match="cannot be read"):
            read_text(tmp_path / name)


def test_json_nested_without_end_is_an_error(tmp_path):
    (tmp_path / "a.json").write_text("[" * 200_000)
    with pytest.raises(DataError, match="is no valid JSON"):
        read_json(tmp_path / "a.json")


@pytest.mark.parametrize("size", [(0, 375), (1242, 0), (100_001, 375), (2**32 - 1, 2**32 - 1)])
def test_images_of_absurd_sizes_are_refused_by_their_header(tmp_path, size):
    header = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR" + b"".join(side.to_bytes(4, "big") for side in size)
    (tmp_path / "a.png").write_bytes(header + b"\x08\0\0\0\0")
    with pytest.raises(DataError, match=r"a\.png: no image is \d+ x \d+ pixels large"):
        png_size(tmp_path / "a.png")
    if max(size) < 10**9:
        (tmp_path / "a.csv").write_text(f"frame,width,height\na,{size[0]},{size[1]}\n")
        with pytest.raises(DataError, match=r"a\.csv:2: no image is"):
            read_image_sizes(tmp_path / "a.csv")
