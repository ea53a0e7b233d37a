"""Two processes never hold one work directory; a lock of a dead process is none."""

import errno
import json
import multiprocessing
import os
import signal
import time

import pytest

from kecor.errors import StateError
from kecor.lock import LOCK, locked


def hold(folder, ready):
    with locked(folder):
        ready.set()
        time.sleep(60)


def test_a_second_process_is_refused_with_the_holders_name_until_the_first_is_killed(tmp_path):
    context = multiprocessing.get_context("forkserver")
    ready = context.Event()
    process = context.Process(target=hold, args=(tmp_path / "work", ready))
    process.start()
    assert ready.wait(60)
    with pytest.raises(StateError, match=rf"in use by process {process.pid} on "), locked(tmp_path / "work"):
        pass
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    with locked(tmp_path / "work"):
        assert json.loads((tmp_path / "work" / LOCK).read_text())["pid"] == os.getpid()
    with locked(tmp_path / "work"):
        pass


def test_a_damaged_lock_file_and_a_folder_that_cannot_be_written_are_no_traceback(tmp_path):
    (tmp_path / LOCK).write_bytes(b"\xff\x00 not json")
    with locked(tmp_path), pytest.raises(StateError, match="in use by process"), locked(tmp_path):
        pass
    (tmp_path / "file").write_text("")
    with pytest.raises(StateError, match="cannot be written"), locked(tmp_path / "file"):
        pass


def test_a_link_or_pipe_in_place_of_the_lock_file_is_refused_and_its_target_kept(tmp_path):
    target = tmp_path / "precious.txt"
    target.write_text("kept")
    for folder, make in (("a", lambda path: path.symlink_to(target)), ("b", os.mkfifo)):
        (tmp_path / folder).mkdir()
        make(tmp_path / folder / LOCK)
        with pytest.raises(StateError, match=r"\.lock: cannot be written"), locked(tmp_path / folder):
            pass
    assert target.read_text() == "kept"


def test_a_file_system_without_locks_is_named(tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(StateError, match="cannot be locked: No locks available"), locked(tmp_path):
        pass
