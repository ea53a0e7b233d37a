"""Faults of a user's module are one line with the file and the line in it."""

import importlib
import re
import sys
from functools import partial

import pytest

from kecor.errors import ConfigError, KecorError
from kecor.plug_ins import describe_fault, import_plug_in, source_file

SOURCES = {
    "syntax": ("import os\ndef f(:\n", r"SyntaxError: invalid syntax \(FILE:2\)"),
    "indentation": ("def f():\nreturn 1\n", r"IndentationError: expected .* \(FILE:2\)"),
    "null": ("x = 1\0\n", r"(SyntaxError|ValueError): source code .*null bytes.*"),
    "encoding": ("# -*- coding: nowhere -*-\n", r"SyntaxError: unknown encoding: nowhere \(FILE\)"),
    "missing_module": ("import os\nimport no_such_package\n", r"ModuleNotFoundError: .*no_such_package' \(FILE:2\)"),
    "missing_name": ("from os import no_such_name\n", r"ImportError: cannot import name 'no_such_name'.* \(FILE:1\)"),
    "exit": ("import sys\n\nsys.exit(3)\n", r"SystemExit: 3 \(FILE:3\)"),
    "zero": ("def f():\n    return 1 / 0\n\n\nf()\n", r"ZeroDivisionError: division by zero \(FILE:2\)"),
    "library": ("import json\njson.loads('{')\n", r"JSONDecodeError: Expecting property name.*"),
    "lines": ("raise ValueError('one\\n\\n  two')\n", r"ValueError: one two \(FILE:1\)"),
    "endless": ("def f():\n    f()\n\nf()\n", r"RecursionError: .*\(FILE:2\)"),
    "long": ("raise ValueError('x' * 10_000)\n", r"ValueError: x{300} \(FILE:1\)"),
}


@pytest.mark.parametrize("name", SOURCES)
def test_a_module_that_cannot_be_imported_is_one_line(tmp_path, monkeypatch, name):
    source, expected = SOURCES[name]
    file = tmp_path / f"plug_in_{name}.py"
    file.write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError) as caught:
        import_plug_in(partial(importlib.import_module, file.stem), f"custom_imports: {file.stem!r}")
    expected = f"custom_imports: '{file.stem}' cannot be imported: {expected.replace('FILE', re.escape(str(file)))}"
    assert re.fullmatch(expected, str(caught.value).replace("\n", "NEWLINE"))
    assert file.stem not in sys.modules


def test_a_module_that_is_not_there_has_no_line():
    with pytest.raises(ConfigError, match=r"ModuleNotFoundError: No module named 'nowhere_at_all'$"):
        import_plug_in(partial(importlib.import_module, "nowhere_at_all"), "--import: 'nowhere_at_all'")


def test_ctrl_c_and_our_own_errors_pass():
    def stop():
        raise KeyboardInterrupt

    def fail():
        raise ConfigError("acquisition.sigma: got -1")

    with pytest.raises(KeyboardInterrupt):
        import_plug_in(stop, "x")
    with pytest.raises(KecorError, match=r"^acquisition\.sigma: got -1$"):
        import_plug_in(fail, "x")


class Method:
    def call(self, function):
        return function("{")


def test_the_innermost_line_of_the_given_file_is_named():
    """Not the line of the library that the plug-in called."""
    import json

    with pytest.raises(ValueError) as caught:
        Method().call(json.loads)
    assert source_file(Method()) == __file__
    assert source_file(3) is None
    line = Method.call.__code__.co_firstlineno + 1
    assert describe_fault(caught.value, __file__).endswith(f"({__file__}:{line})")
    assert re.search(r"\(.*json.*\.py:\d+\)$", describe_fault(caught.value, "/elsewhere.py"))
