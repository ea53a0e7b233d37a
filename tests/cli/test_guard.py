from kecor.cli.guard import main_guard
from kecor.errors import DataError


def test_errors_become_one_line_and_a_code(capsys):
    def fails():
        raise DataError("000001.txt:3: 14 fields")

    assert main_guard(fails)() == 2
    assert capsys.readouterr().err == "error: 000001.txt:3: 14 fields\n"
    assert main_guard(lambda: None)() == 0
