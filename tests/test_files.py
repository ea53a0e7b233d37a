from __future__ import annotations

import json

import pytest

from kecor.errors import DataError
from kecor.files import file_digest, read_json, write_atomic, write_json, write_text


def test_json_survives_the_round_trip(tmp_path):
    value = {"ids": ["000001"], "ap": [12.5, None], "name": "Fußgänger"}
    write_json(tmp_path / "new" / "folder" / "a.json", value)
    assert read_json(tmp_path / "new" / "folder" / "a.json") == value


def test_text_is_utf8_and_replaces_what_was_there(tmp_path):
    write_text(tmp_path / "a.txt", "old, and longer")
    write_text(tmp_path / "a.txt", "né")
    assert (tmp_path / "a.txt").read_bytes() == "né".encode()


@pytest.mark.parametrize("value", [{"ap": float("nan")}, {"x": object()}])
def test_what_json_cannot_hold_leaves_the_old_file(tmp_path, value):
    write_json(tmp_path / "a.json", [1])
    with pytest.raises((ValueError, TypeError)):
        write_json(tmp_path / "a.json", value)
    assert read_json(tmp_path / "a.json") == [1]


def test_a_write_that_fails_halfway_leaves_the_old_file_and_no_other(tmp_path):
    write_text(tmp_path / "a.txt", "old")

    def fail(stream):
        stream.write(b"half")
        raise RuntimeError("disk full")

    with pytest.raises(RuntimeError, match="disk full"):
        write_atomic(tmp_path / "a.txt", fail)
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"


def test_read_json_names_the_file(tmp_path):
    with pytest.raises(DataError, match=r"missing\.json: cannot be read"):
        read_json(tmp_path / "missing.json")
    (tmp_path / "half.json").write_text(json.dumps({"a": [1, 2, 3]})[:-3])
    with pytest.raises(DataError, match=r"half\.json: is no valid JSON"):
        read_json(tmp_path / "half.json")
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"binary\.json: cannot be read: is no UTF-8 text"):
        read_json(tmp_path / "binary.json")


def test_a_link_under_the_temporary_name_is_not_followed(tmp_path):
    (tmp_path / "precious.txt").write_text("kept")
    (tmp_path / ".a.txt.tmp").symlink_to(tmp_path / "precious.txt")
    write_text(tmp_path / "a.txt", "new")
    assert (tmp_path / "precious.txt").read_text() == "kept"
    assert (tmp_path / "a.txt").read_text() == "new"
    assert not (tmp_path / "a.txt").is_symlink()


def test_digests_are_those_of_sha256_and_unreadable_files_are_named(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert file_digest(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    with pytest.raises(DataError, match=r"none: cannot be read: no such file"):
        file_digest(tmp_path / "none")
    with pytest.raises(DataError, match="is no regular file"):
        file_digest(tmp_path)
