import os

import numpy as np
import pytest

from kecor.datasets.custom.labels import format_labels, read_label_file
from kecor.errors import DataError

GOOD = "1 2 3 4 2 1.5 0.5 Car"


def test_boxes_are_given_as_written(tmp_path):
    (tmp_path / "a.txt").write_text(f"{GOOD}\n\n  -1e1\t2 3 4 2 1.5 450 Walker  ")
    boxes, names = read_label_file(tmp_path / "a.txt")
    np.testing.assert_array_equal(boxes, [[1, 2, 3, 4, 2, 1.5, 0.5], [-10, 2, 3, 4, 2, 1.5, 450]])
    assert names.tolist() == ["Car", "Walker"]
    (tmp_path / "b.txt").write_text(format_labels(boxes, names.tolist()))
    np.testing.assert_array_equal(read_label_file(tmp_path / "b.txt")[0], boxes)


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf"])
def test_an_empty_file_holds_no_object(tmp_path, content):
    (tmp_path / "a.txt").write_bytes(content)
    boxes, names = read_label_file(tmp_path / "a.txt")
    assert boxes.shape == (0, 7)
    assert names.shape == (0,)


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("1 2 3 4 2 1.5 0.5", "7 words where 8"),
        ("1 2 3 4 2 1.5 0.5 Car 0.9", "score"),
        ("1 2 3 4 2 1.5 0.5 big Car", "no space"),
        ("1,2,3,4,2,1.5,0.5,Car", "spaces"),
        ("Car 1 2 3 4 2 1.5 0.5", "the class comes last"),
        ("Car 0 0 0 1 2 3 4 1.5 1.6 4 1 2 3 0", "KITTI"),
        ("1 2 3 4 2 1.5 nan Car", "not finite"),
        ("1 2 3 4 2 1.5 inf Car", "not finite"),
        ("1 2 3 4 2 0 0.5 Car", "above zero"),
        ("1 2 3 4 -2 1 0.5 Car", "above zero"),
        ("1 2 3 4 2 x 0.5 Car", "x"),
        ("1e9 2 3 4 2 1 0.5 Car", "beyond"),
    ],
)
def test_faulty_lines_are_named(tmp_path, line, says):
    (tmp_path / "a.txt").write_text(f"{GOOD}\n{line}\n")
    with pytest.raises(DataError, match=says) as caught:
        read_label_file(tmp_path / "a.txt")
    assert f"{tmp_path / 'a.txt'}:2" in str(caught.value)


def test_what_is_no_text_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "binary.txt").write_bytes(bytes(range(256)))
    (tmp_path / "wide.txt").write_bytes(GOOD.encode("utf-16"))
    with (tmp_path / "sparse.txt").open("wb") as stream:
        stream.truncate(64 << 30)
    names = {
        "pipe.txt": "no regular",
        "binary.txt": "UTF-8",
        "wide.txt": "UTF-8",
        "sparse.txt": "68719476736 bytes",
    }
    for name, says in {**names, "none.txt": "no such file"}.items():
        with pytest.raises(DataError, match=says):
            read_label_file(tmp_path / name)
