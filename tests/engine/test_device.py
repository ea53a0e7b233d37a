from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from kecor.engine.device import autocast, resolve_device
from kecor.errors import ConfigError


def test_auto_takes_what_there_is(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert resolve_device("auto") == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert resolve_device("auto") == "cuda"


def test_cuda_where_there_is_none_says_what_to_do(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="--device cpu"):
        resolve_device("cuda")


def test_a_device_beyond_the_last(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert resolve_device("cuda:1") == "cuda:1"
    with pytest.raises(ConfigError, match="there are 2 CUDA devices"):
        resolve_device("cuda:2")


@pytest.mark.parametrize("name", ["gpu", "cpu:1", "cuda:x", ""])
def test_unknown_names(name):
    with pytest.raises(ConfigError, match="none of auto, cpu, cuda"):
        resolve_device(name)


def test_autocast_changes_the_type_of_a_product():
    a = torch.ones(2, 2)
    with autocast("cpu", "bf16"):
        assert (a @ a).dtype == torch.bfloat16
    with autocast("cpu", "none"):
        assert (a @ a).dtype == torch.float32


def test_autocast_refuses_what_cannot_be():
    with pytest.raises(ConfigError, match="use bf16"):
        autocast("cpu", "fp16")
    with pytest.raises(ConfigError, match="'tf32' is none of"):
        autocast("cpu", "tf32")


def test_tune_malloc_is_taken_by_glibc_and_spares_page_faults():
    code = (
        "import resource, sys; from kecor.engine.malloc import tune_malloc\n"
        "tuned = sys.argv[1] == 'yes' and tune_malloc()\n"
        "for _ in range(20): b = bytearray(64 << 20); del b\n"
        "print(int(tuned), resource.getrusage(resource.RUSAGE_SELF).ru_minflt)"
    )
    lines = [subprocess.check_output([sys.executable, "-c", code, word], text=True).split() for word in ("yes", "no")]
    if lines[0][0] == "0":
        pytest.skip("the C library is not glibc")
    assert int(lines[0][1]) <= int(lines[1][1])
