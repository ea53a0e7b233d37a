import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kecor.frame_sets.files import write_frames
from kecor.structures import FrameSet
from tests.acquisition.worlds import take, world

TOOL = Path(__file__).parents[2] / "tools" / "select.py"
KNOWN = world(30, 1, "l", labelled=True)
POOL = world(40)


def in_2d(frames):
    """The frames with boxes (x1, y1, x2, y2)."""
    return replace(frames, detections=[replace(d, boxes=d.boxes[:, :4], n_points=None) for d in frames.detections])


@pytest.fixture
def select(tmp_path, monkeypatch, command):
    """Runs the command on two frame sets; returns exit code, output, error output and selection."""

    def call(method, *more, pool=POOL, labelled=KNOWN, budget=6):
        write_frames(tmp_path / "pool.npz", pool)
        write_frames(tmp_path / "labelled", labelled)
        out = tmp_path / "out" / "selection.json"
        out.unlink(missing_ok=True)
        given = {"--pool": "pool.npz", "--labelled": "labelled", "--budget": budget, "--out": "out/selection.json"}
        monkeypatch.chdir(tmp_path)
        arguments = [part for pair in given.items() for part in pair]
        done = command("select", *arguments, "--method", method, *more)
        return *done, json.loads(out.read_text()) if out.exists() else None

    return call


@pytest.mark.parametrize("columns", [7, 4])
@pytest.mark.parametrize("method", ["random", "entropy", "kecor"])
def test_frames_are_chosen_for_2d_and_3d_boxes_and_any_order_of_the_pool(select, method, columns):
    pool, known = (POOL, KNOWN) if columns == 7 else (in_2d(POOL), in_2d(KNOWN))
    code, out, err, first = select(method, "--seed", 5, pool=pool, labelled=known)
    assert (code, "error" in err) == (0, False)
    assert list(first) == ["method", "ids", "gains", "predicted_boxes", "predicted_cost", "info", "terms"]
    assert (first["method"], len(first["ids"]), len(set(first["ids"])), first["predicted_cost"]) == (method, 6, 6, 6)
    assert set(first["ids"]) <= set(POOL.ids.tolist())
    boxes = dict(zip(POOL.ids.tolist(), POOL.n_boxes().tolist()))
    assert first["predicted_boxes"] == [boxes[i] for i in first["ids"]]
    assert len(first["gains"]) == 6
    assert "Frames picked" in out
    assert "6 of 40" in out
    assert out.splitlines()[-1].split() == ["Written", "to", "out/selection.json"]
    assert ("Overlap with top-entropy" in out) == (method == "kecor")
    assert select(method, "--seed", 5, pool=pool, labelled=known)[-1] == first
    shuffled = take(pool, np.random.default_rng(0).permutation(len(pool)))
    assert select(method, "--seed", 5, pool=shuffled, labelled=known)[-1]["ids"] == first["ids"]


def test_random_needs_only_ids_and_its_seed(select):
    pool, known = FrameSet(np.arange(50)), FrameSet(np.arange(50, 53))
    one, two = (select("random", "--seed", seed, pool=pool, labelled=known)[-1] for seed in (0, 1))
    assert one["ids"] != two["ids"]
    assert one["predicted_boxes"] is None
    assert all(isinstance(i, str) for i in one["ids"])


def test_kecor_takes_embeddings_alone(select):
    pool, known = (
        FrameSet(frames.ids, {"embedding": frames.feats["embedding"]}, frames.detections) for frames in (POOL, KNOWN)
    )
    code, _, err, chosen = select("kecor", "--set", "kernel=linear", pool=pool, labelled=known)
    assert code == 0, err
    assert len(chosen["ids"]) == 6
    known.feats["targets"] = KNOWN.feats["targets"][:, 0]
    code, _, err, fitted = select("kecor", pool=pool, labelled=known)
    assert code == 0, err
    assert "proxy_loss_last" in fitted["info"]


def test_boxes_may_have_a_price(select):
    code, _, err, chosen = select("entropy", "--cost-frame", 0, "--cost-box", 2, budget=30)
    assert code == 0, err
    assert chosen["predicted_cost"] == 2 * sum(max(1, k) for k in chosen["predicted_boxes"]) <= 30
    code, _, err, _ = select("random", "--cost-box", 1, pool=FrameSet(["a"]), labelled=FrameSet(["b"]))
    assert code == 2
    assert "are missing: method 'random' with --cost-box above 0 needs detections" in err


def test_arguments_of_a_method_are_read_as_yaml(select):
    info = select("kecor", "--set", "kernel=linear", "sigma=1e-1", "--set", "entropy_weight=0")[-1]["info"]
    assert info["sigma"] == 0.1
    assert info["entropy_gain_sum"] == 0


def test_a_user_method_is_imported(select, tmp_path, monkeypatch):
    (tmp_path / "my_method_for_select.py").write_text(
        "import numpy as np\n"
        "from kecor.registry import ACQUISITIONS\n"
        "from kecor.structures import Selection\n"
        "@ACQUISITIONS.register_module('last_ones')\n"
        "class LastOnes:\n"
        "    needs = frozenset()\n"
        "    def __init__(self, count: int): self.count = count\n"
        "    def select(self, pool, labelled, budget, rng):\n"
        "        last = np.arange(len(pool))[-self.count:]\n"
        "        return Selection(last, np.zeros(len(last)), info={'count': self.count})\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    ours = ("last_ones", "--import", "my_method_for_select", "--set")
    assert select(*ours, "count=2")[-1]["ids"] == ["p0038", "p0039"]
    code, _, err, chosen = select(*ours, "count=7")
    assert (code, err, chosen) == (2, "error: last_ones: 7 frames cost 7, over the budget of 6\n", None)
    assert "--set: unknown key 'last_ones.counts'; did you mean 'count'?" in select(*ours, "counts=7")[2]
    assert "--set: last_ones.count is missing" in select(*ours[:-1])[2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["kecorr"], "--method: got 'kecorr'; did you mean 'kecor'?"),
        (["random", "--import", "no_such_module"], "custom_imports: 'no_such_module' cannot be imported"),
        (["kecor", "--set", "sigm=1"], "--set: unknown key 'kecor.sigm'; did you mean 'sigma'?"),
        (["kecor", "--set", "sigma"], "--set 'sigma': expected key.sub=value"),
        (["kecor", "--set", "sigma=[1"], "--set 'sigma=[1': line 1"),
        (["kecor", "--set", "sigma=-1"], "acquisition.sigma"),
        (["random", "--budget", "-1"], "--budget, --cost-frame, --cost-box: a budget and its costs cannot be negative"),
        (["random", "--budget", "nan"], "not finite: nan"),
        (["random", "--cost-frame", "inf"], "not finite: 6.0, inf, 0.0"),
        (["random", "--cost-frame", "0"], "a budget needs cost_frame or cost_box above zero"),
        (["random", "--seed", "-1"], "--seed: got -1; expected 0 or more"),
        (["random", "--pool", "nowhere"], "nowhere: no such file or folder"),
        (
            ["random", "--labelled", "pool.npz"],
            "pool.npz: ids: row 0: 'p0000' is already labelled: it is also row 0 of pool",
        ),
        (["random", "--out", "."], ".: cannot be written: it is a folder"),
        (["random", "--out", "./pool.npz"], "--out pool.npz: is an input"),
        (["random", "--out", "pool.npz/x"], "pool.npz/x: cannot be written"),
    ],
)
def test_invalid_input_gives_one_line(select, arguments, message):
    code, out, err, chosen = select(*arguments)
    assert (code, out, chosen) == (2, "", None)
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert message in err


def test_missing_targets_are_named_by_the_method(select):
    code, _, err, _ = select("kecor", labelled=world(30, 1, "l"))
    assert code == 2
    assert "kecor: kernel 'ntk' needs feats['targets'] of the labelled frames" in err


def test_runs_as_a_script_whose_help_ends_in_an_example():
    done = subprocess.run([sys.executable, str(TOOL), "--help"], capture_output=True, text=True, check=True)
    assert done.stdout.rstrip().endswith("--out selection.json")


def test_scripts_in_the_tools_folder_still_import_the_standard_select_module():
    code = "import select, selectors, subprocess; print(select.select.__module__, selectors.DefaultSelector.__name__)"
    done = subprocess.run([sys.executable, "-c", code], cwd=TOOL.parent, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("select ")


def test_selecting_does_not_import_our_detectors():
    code = "import sys, kecor.cli.select; sys.exit('spconv' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
