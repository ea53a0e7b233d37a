import errno
import subprocess
import sys

import pytest

from kecor.cli.guard import main_guard
from kecor.errors import DataError


def test_errors_become_one_line_and_a_code(capsys):
    def fails():
        raise DataError("000001.txt:3: 14 fields")

    assert main_guard(fails)() == 2
    assert capsys.readouterr().err == "error: 000001.txt:3: 14 fields\n"
    assert main_guard(lambda: None)() == 0


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(errno.EROFS, "Read-only file system", "/mnt/out.json"), "/mnt/out.json: Read-only file system"),
        (OSError(errno.EXDEV, "Invalid link", "/a/.b.tmp", None, "/a/b"), "/a/b: Invalid link"),
        (OSError("gone"), "gone"),
        (MemoryError(), "not enough memory: an allocation failed"),
    ],
)
def test_errors_of_the_system_are_one_line_too(capsys, error, line):
    def fails():
        raise error

    assert main_guard(fails)() == 2
    assert capsys.readouterr().err == f"error: {line}\n"


def test_ctrl_c_ends_a_command_with_its_own_code():
    def stops():
        raise KeyboardInterrupt

    assert main_guard(stops)() == 130


def test_output_whose_reader_has_gone_away_is_no_error():
    """The reader closes the pipe at once, the command writes more than the pipe holds."""
    code = "import sys; from kecor.cli.guard import main_guard; sys.exit(main_guard(lambda: print('x\\n' * 10**6))())"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    process.stdout.close()
    assert (process.wait(60), process.stderr.read()) == (141, "")


def test_a_bug_keeps_its_traceback():
    def fails():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        main_guard(fails)()
