import collections
import pickle
from pathlib import Path

import numpy as np
import pytest

from kecor.errors import DataError
from kecor.pickles import read_plain_pickle

PLAIN = {
    "text": ["a", ("b", None, True)],
    "numbers": {1, 2.5, 3 + 4j},
    "array": np.arange(12.0).reshape(3, 4),
    "fortran": np.asfortranarray(np.arange(6, dtype=np.int16).reshape(2, 3)),
    "big": np.arange(3, dtype=">f4"),
    "names": np.array(["Vehicle", "Sign"]),
    "scalar": np.float32(1.5),
    "empty": np.zeros((0, 9), np.float32),
}


class Malicious:
    def __reduce__(self):
        return Path.touch, (Path("touched"),)


@pytest.mark.parametrize("protocol", range(2, 6))
def test_plain_values_come_back(tmp_path, protocol):
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(PLAIN, protocol))
    found = read_plain_pickle(tmp_path / "a.pkl")
    assert found.keys() == PLAIN.keys()
    assert (found["text"], found["numbers"]) == (PLAIN["text"], PLAIN["numbers"])
    for key, value in list(PLAIN.items())[2:]:
        np.testing.assert_array_equal(np.asarray(found[key]), np.asarray(value))
        assert np.asarray(found[key]).dtype == np.asarray(value).dtype.newbyteorder("=")


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (Malicious(), "Path.touch"),
        (print, r"builtins\.print"),
        (collections.OrderedDict(a=1), r"collections\.OrderedDict"),
        (np.array([{}], dtype=object), "array of object"),
        (np.zeros(2, [("a", "O")]), "numpy array of"),
        (np.zeros(2, [("a", "f4")]), "numpy array of"),
    ],
)
def test_anything_else_is_refused_by_name(tmp_path, monkeypatch, value, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.pkl").write_bytes(pickle.dumps(value))
    with pytest.raises(DataError, match=rf"a\.pkl: .*{name}.*is not opened"):
        read_plain_pickle(tmp_path / "a.pkl")
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize("data", [b"", b"garbage", pickle.dumps(PLAIN)[:-20], b"\x80\x04\x8e" + b"\xff" * 7 + b"\x0f."])
def test_damaged_files_are_named(tmp_path, data):
    (tmp_path / "a.pkl").write_bytes(data)
    with pytest.raises(DataError, match=r"a\.pkl: is no pickle or is damaged"):
        read_plain_pickle(tmp_path / "a.pkl")


def test_an_array_larger_than_its_data_is_refused(tmp_path):
    data = pickle.dumps(np.arange(3.0), 2).replace(b"K\x03\x85", b"K\x7f\x85")
    (tmp_path / "a.pkl").write_bytes(data)
    with pytest.raises(DataError, match="damaged"):
        read_plain_pickle(tmp_path / "a.pkl")


MEMO = 1 << 28
"""A table of this many entries takes 4 GiB."""


@pytest.mark.parametrize("data", [b"r" + MEMO.to_bytes(4, "little"), b"p%d\n" % MEMO])
def test_a_short_pickle_cannot_ask_for_gigabytes(tmp_path, data):
    (tmp_path / "a.pkl").write_bytes(b"\x80\x02K\x01" + data + b".")
    with pytest.raises(DataError, match=rf"a\.pkl: is no pickle or is damaged: .*memo number {MEMO}"):
        read_plain_pickle(tmp_path / "a.pkl")
