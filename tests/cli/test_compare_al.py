import csv
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from kecor.active.loop import run
from kecor.active.state import check_settings, read_state
from kecor.cli import compare_al
from kecor.comparison.methods import load_base, load_methods, shared_config
from kecor.config import load_config
from kecor.config.differences import settings_of
from tests.active.tiny import tiny_config, write_config, write_tiny_set
from tests.comparison.prepared import calls_of, rows_of, write_finished, write_stand_in

TOOL = Path(__file__).parents[2] / "tools" / "compare_al.py"
METHODS, SEEDS = ("random", "entropy"), (0, 1, 2)


@pytest.fixture
def config(tmp_path):
    return write_config(tmp_path / "tiny.yaml", tiny_config(write_tiny_set(tmp_path / "set", 8, 2)))


@pytest.fixture
def compare(config, tmp_path, monkeypatch, command):
    """Runs the command with a stand-in for train_al; returns exit code, output and error output."""
    monkeypatch.setattr(compare_al, "TRAIN_AL", [sys.executable, str(write_stand_in(tmp_path))])
    prepare(config, tmp_path / "prepared")

    def call(*arguments, methods="random,entropy", seeds="0,1,2"):
        words = [config, "--methods", methods, "--seeds", seeds, "--work-dir", tmp_path / "work"]
        return command("compare_al", *words, *arguments)

    return call


def prepare(config, folder):
    """Prepare the result of each run: entropy is 5 AP above random at the same number of boxes."""
    base = load_base(config, [])
    for seed in SEEDS:
        options = {"digest": "split"}
        shared = shared_config(base)
        shared.seed = seed
        write_finished(folder / "shared" / f"seed_{seed}", shared, rows_of([100], [1.0 + seed]), **options)
        for method in load_methods(METHODS, config, []):
            gain = 5.0 * (method.name == "entropy")
            rows = rows_of([100, 200, 300], [10.0 + gain, 20 + gain + seed, 40 + gain], "?", seed)
            method.config.seed = seed
            write_finished(folder / method.name / f"seed_{seed}", method.config, rows, **options)


def test_a_comparison_ends_with_tables_conclusions_and_files(compare, tmp_path):
    code, out, err = compare("--jobs", 2, "--target-ap", 30, "--device", "cpu")
    assert (code, err) == (0, "")
    calls = calls_of(tmp_path)
    assert sorted(calls) == sorted(f"{m}/seed_{s}" for m in ("shared", *METHODS) for s in SEEDS)
    lines = (tmp_path / "calls.txt").read_text().splitlines()
    work = tmp_path / "work"
    wanted = f"entropy/seed_1 {work}/configs/entropy.yaml --work-dir {work}/entropy/seed_1 --device cpu --resume "
    assert f"{wanted}--round-0 {work}/shared/seed_1 --set seed=1" in lines
    assert load_config(work / "configs" / "entropy.yaml").acquisition["type"] == "entropy"
    assert "6 runs, 6 of them unfinished, 2 at a time" in out
    assert out.count(": done in ") == 9
    for words in ("Round by round", "AP of 30 (Car_3d)", "minus that of random", "With 3 seeds no difference can be"):
        assert words in out
    assert "entropy: on average 5.00 AP above random from 100 to 300 boxes, above it in 3 of 3 seeds" in out
    assert out.splitlines()[-3:] == [str(work / name) for name in ("compare.csv", "compare.png", "compare.html")]
    assert all(Path(line).stat().st_size > 500 for line in out.splitlines()[-3:])
    with (work / "compare.csv").open(newline="") as stream:
        row = list(csv.DictReader(stream))[-1]  # Car alone has values here
    assert (row["mean_3d"], row["mean_bev_loose"], row["mean_bev"]) == ("45.0", "65.0", "")
    assert (work / "entropy" / "seed_1.log").read_text() == "at work on entropy/seed_1\n"


def test_runs_can_be_compared_by_the_mean_over_classes(compare):
    code, out, err = compare("--metric", "mean_bev_loose", "--target-ap", 50)
    assert (code, err) == (0, "")
    assert "Boxes needed to reach an AP of 50 (mean_bev_loose)" in out
    assert "AP: mean_bev_loose, percent" in out
    assert "entropy: on average 5.00 AP above random from 100 to 300 boxes" in out


def test_the_reference_and_the_prices_can_be_chosen(compare):
    code, out, err = compare("--against", "entropy", "--cost", "3:1")
    assert (code, err) == (0, "")
    assert "AP at equal cost, minus that of entropy" in out
    assert "random: at equal AP it costs" in out
    assert "more than entropy, counted in money (3:1 for a frame and a box)" in out


@pytest.mark.parametrize("part", [[], ["--dry-run"], ["--only", "shared/0"]])
def test_too_few_frames_to_begin_with_are_found_before_any_run(compare, tmp_path, part):
    code, _, err = compare("--set", "active.initial=9", *part)
    assert (code, err.count("\n")) == (2, 1)
    assert "active.initial: got 9, but the split 'train' has 8 frames, 8 of them labelled" in err
    assert calls_of(tmp_path) == []


def test_finished_runs_are_not_repeated_and_methods_can_be_added(compare, tmp_path):
    compare(methods="random", seeds="0,1")
    before = calls_of(tmp_path)
    code, out, err = compare(methods="random", seeds="0,1")
    assert (code, "Round by round" in out) == (2, False)
    assert "work holds a comparison; continue it with --resume" in err
    code, out, _ = compare("--resume", methods="random", seeds="0,1")
    assert (code, calls_of(tmp_path)) == (0, before)
    (tmp_path / "work" / "random" / "seed_1" / "report.html").unlink()  # killed before the last page was written
    os.utime(tmp_path / "work" / "random" / "seed_0" / "report.html", ns=(0, 0))
    compare("--resume", seeds="0,1")
    assert calls_of(tmp_path)[len(before) :] == ["random/seed_0", "entropy/seed_0", "random/seed_1", "entropy/seed_1"]


def test_a_failed_run_is_named_with_its_log_and_the_others_are_compared(compare, tmp_path):
    (tmp_path / "prepared" / "entropy" / "seed_1").rename(tmp_path / "kept")
    code, out, err = compare()
    log = tmp_path / "work" / "entropy" / "seed_1.log"
    assert code == 2
    assert err.count("\n") == 1
    assert err.startswith("error: runs failed; correct the cause and start again with --resume: entropy, seed 1: ")
    assert f"error: no luck with entropy/seed_1 (exit code 1; log: {log})" in err
    assert "Unfinished runs, left out: entropy, seed 1." in out
    assert len((tmp_path / "work" / "compare.csv").read_text().splitlines()) == 1 + 5 * 3
    (tmp_path / "kept").rename(tmp_path / "prepared" / "entropy" / "seed_1")
    before = calls_of(tmp_path)
    code, out, _ = compare("--resume")
    assert (code, calls_of(tmp_path)[len(before) :]) == (0, ["entropy/seed_1"])
    assert "left out" not in out


def test_its_commands_make_the_same_comparison(compare, tmp_path):
    code, out, _ = compare("--dry-run", "--device", "cpu")
    assert code == 0
    commands = out.splitlines()
    assert len(commands) == 9
    assert calls_of(tmp_path) == []
    for line in commands:
        subprocess.run(line, shell=True, check=True, capture_output=True)
    assert compare("--dry-run")[1].strip() == ""
    assert "entropy: on average 5.00 AP above random" in compare("--tables")[1]
    assert len(calls_of(tmp_path)) == 9


def test_single_runs_need_their_round_0_and_are_made_once(compare, tmp_path):
    code, _, err = compare("--only", "entropy/1")
    assert code == 2
    assert "--only shared/1" in err
    for name in ("shared/1", "entropy/1", "entropy/1"):
        assert compare("--only", name)[0] == 0
    assert calls_of(tmp_path) == ["shared/seed_1", "entropy/seed_1"]
    assert "Unfinished runs" in compare("--tables")[1]
    code, _, err = compare("--only", "entropy/7")
    assert code == 2
    assert "expected one of: shared/0, shared/1" in err


def test_tables_without_a_finished_run(compare):
    assert compare("--tables")[:2] == (0, "no run is finished yet\n")


def test_without_its_round_0_a_seed_is_not_started(compare, tmp_path):
    (tmp_path / "prepared" / "shared" / "seed_0").rename(tmp_path / "kept")
    code, out, err = compare(seeds="0")
    assert (code, calls_of(tmp_path)) == (2, ["shared/seed_0"])
    assert "[3/3] entropy, seed 0: not started, round 0, seed 0 failed" in out
    assert "round 0, seed 0: error: no luck with shared/seed_0" in err


def test_runs_of_another_config_or_other_frames_are_refused(compare, config, tmp_path):
    compare(seeds="0,1")
    code, _, err = compare("--resume", "--cfg-options", "schedule.epochs=9", seeds="0,1")
    assert code == 2
    assert f"{tmp_path}/work/random/seed_0/al_state.json: the config has changed" in err
    assert "schedule.epochs: was 3, is 9" in err
    path = tmp_path / "work" / "entropy" / "seed_1" / "al_state.json"
    dataclasses.replace(read_state(path.parent), split_digest="other").save(path.parent)
    os.utime(path, ns=(0, 0))
    code, _, err = compare("--resume", seeds="0,1")
    assert code == 2
    assert str(path) in err
    assert "the split lists changed between these runs" in err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"seeds": "0,x"}, "--seeds: got '0,x'; expected distinct non-negative integers"),
        ({"seeds": "1,1"}, "--seeds: got '1,1'"),
        ({"seeds": ""}, "--seeds: got ''"),
        ({"methods": "random,kecro"}, "did you mean 'kecor'"),
        ({"more": ["--against", "entropie"]}, "--against: got 'entropie'; expected one of: random, entropy"),
        ({"more": ["--cost", "money"]}, "--cost: got 'money'; expected boxes, frames, or prices FRAME:BOX such as 3:1"),
        ({"more": ["--metric", "Truck_3d"]}, "--metric: got 'Truck_3d'; expected one of: Car_3d, Car_bev, "),
        ({"more": ["--jobs", "0"]}, "--jobs: got 0; expected at least 1"),
        ({"more": ["--target-ap", "120"]}, "--target-ap: got 120; expected"),
        ({"more": ["--device", "tpu"]}, "--device 'tpu'"),
        ({"more": ["--cfg-options", "seed=1"]}, "--seeds"),
    ],
)
def test_invalid_input_gives_one_line_and_starts_nothing(compare, tmp_path, arguments, words):
    arguments = dict(arguments)
    code, out, err = compare(*arguments.pop("more", []), **arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("error: ")
    assert words in err
    assert not (tmp_path / "work").exists()


def test_help_ends_with_an_example(command, capsys):
    with pytest.raises(SystemExit) as stopped:
        command("compare_al", "--help")
    assert stopped.value.code == 0
    assert capsys.readouterr().out.rstrip().splitlines()[-2].strip().startswith("python tools/compare_al.py")


@pytest.mark.slow
def test_killed_and_resumed_it_equals_plain_runs_of_train_al(tmp_path):
    data = write_tiny_set(tmp_path / "data", n_train=12, n_val=3)
    config = write_config(tmp_path / "tiny.yaml", tiny_config(data, active={"rounds": 1}))
    work = tmp_path / "work"
    command = [sys.executable, TOOL, config, "--methods", "random,entropy", "--seeds", "1", "--work-dir", work]
    command += ["--metric", "Car_bev_loose", "--device", "cpu", "--resume", "--jobs", "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    for moment in ("shared/seed_1/round_00/checkpoint.pth", "entropy/seed_1/round_00/selection.json"):
        process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        while not (work / moment).exists():
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM if moment.startswith("shared") else signal.SIGKILL)
        process.wait()
    ended = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[-1] == str(work / "compare.html")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for method in ("random", "entropy"):
            folder, alone = work / method / "seed_1", tmp_path / method
            own = load_config(work / "configs" / f"{method}.yaml", ["seed=1"])
            run(own, alone, progress=False, log=lambda message: None)
            check_settings(read_state(folder), settings_of(own, pretrained=None), folder)
            states = [json.loads((place / "al_state.json").read_text()) for place in (folder, alone)]
            assert states[0]["frames"] == states[1]["frames"]
            names = sorted(path.relative_to(alone) for path in alone.glob("round_*/*.json"))
            assert len(names) == 3
            for name in names:
                assert (folder / name).read_bytes() == (alone / name).read_bytes()
    finally:
        torch.set_num_threads(threads)
