"""Fixtures that tests of several rooms use."""

import sys
from importlib import import_module

import pytest


@pytest.fixture
def one_thread():
    """Keep torch on one thread: what a test computes is then the same on every machine."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def command(monkeypatch, capsys, one_thread):
    """Run a command in this process: ``command(name, *arguments)`` gives its exit code, output and error output."""

    def call(name, *arguments):
        main = import_module(f"kecor.cli.{name}").main
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *map(str, arguments)])
        code = main()
        return code, *capsys.readouterr()

    return call
