"""The wheel works outside a checkout: commands, shipped configs and a short run."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from kecor import __version__
from tests.active.tiny import tiny_config, write_config, write_tiny_set

ROOT = Path(__file__).parents[1]
ONLY_THE_VENV = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "OMP_NUM_THREADS": "1"}


def call(*command, cwd):
    done = subprocess.run([str(word) for word in command], cwd=cwd, env=ONLY_THE_VENV, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder of commands of an empty virtual environment in which the wheel is installed.

    What kecor depends on is taken from the environment of the tests; kecor itself is not, as it is installed there in
    editable form, which a plain path does not bring along.
    """
    folder = tmp_path_factory.mktemp("wheel")
    for name in ("kecor", "configs"):
        shutil.copytree(ROOT / name, folder / "source" / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder / "source" / name)
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
    call(*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, folder / "source", cwd=folder)
    (wheel,) = folder.glob("kecor-*.whl")
    call(sys.executable, "-m", "venv", "--without-pip", folder / "venv", cwd=folder)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(folder / "venv")}))
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    call(*pip, "--python", folder / "venv" / "bin" / "python", "install", "--no-deps", wheel, cwd=folder)
    return folder / "venv" / "bin"


def test_the_installed_command_runs_a_shipped_method_on_any_config(installed, tmp_path):
    code = "import kecor; print(kecor.__version__, kecor.__file__)"
    version, file = call(installed / "python", "-c", code, cwd=tmp_path).split()
    assert version == __version__
    assert Path(file).is_relative_to(installed.parent)
    data = write_tiny_set(tmp_path / "set", n_train=6, n_val=2)
    write_config(tmp_path / "own.yaml", tiny_config(data, active={"rounds": 1, "amount": 1.0, "initial": 3}))
    options = ("--method", "kecor_linear", "--work-dir", "run")
    out = call(installed / "kecor", "train-al", "own.yaml", *options, cwd=tmp_path)
    assert "report.html" in out
    assert (tmp_path / "run" / "report.html").is_file()


def test_shipped_configs_are_found_by_name(installed, tmp_path):
    code = "from kecor.config import load_config; print(load_config('configs/kitti/pv_rcnn.yaml').detector['type'])"
    assert call(installed / "python", "-c", code, cwd=tmp_path) == "pv_rcnn\n"
