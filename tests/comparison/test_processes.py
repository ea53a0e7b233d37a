"""Running jobs: the limit, dependencies, failures, interrupts, and runs that outlive a killed parent."""

import multiprocessing
import time

import pytest

from kecor.comparison.processes import Job, hold, run_jobs
from kecor.errors import StateError


@pytest.fixture
def job(tmp_path):
    """Makes a job that runs a line of shell; ``$0`` is the folder of the test."""

    def make(name, line, after=None):
        return Job(
            name, ["sh", "-c", line, str(tmp_path)], tmp_path / name, tmp_path / "logs" / f"{name}.log", 3, after
        )

    return make


def do(jobs, limit, folder):
    said = []
    with hold(folder, said.append) as lock:
        return run_jobs(jobs, limit, said.append, [lock]), said


def test_at_most_limit_jobs_run_at_a_time_and_each_is_reported_once(job, tmp_path):
    line = "touch $0/at_work_$$; ls $0 | grep -c at_work >> $0/counts; sleep 0.4; rm $0/at_work_$$"
    failed, said = do([job(f"run {i}", line) for i in range(5)], 2, tmp_path)
    assert failed == {}
    assert max(map(int, (tmp_path / "counts").read_text().split())) == 2
    assert [text.split("]")[0] for text in said] == [f"[{i}/5" for i in range(1, 6)]
    assert sorted(text.split("] ")[1].split(":")[0] for text in said) == [f"run {i}" for i in range(5)]
    assert all("done in" in text for text in said)


def test_a_failure_is_reported_with_its_last_line_and_only_stops_dependent_jobs(job, tmp_path):
    base = job("base", "echo fine; echo error: it is broken >&2; exit 2")
    good = job("good", "true")
    jobs = [
        base,
        job("child", "touch $0/never", base),
        good,
        job("late", "touch $0/late", good),
        job("shot", "kill -9 $$"),
    ]
    failed, said = do(jobs, 1, tmp_path)
    assert failed == {
        "base": f"error: it is broken (exit code 2; log: {tmp_path}/logs/base.log)",
        "child": "base failed",
        "shot": f"killed by signal 9 (exit code -9; log: {tmp_path}/logs/shot.log)",
    }
    assert (tmp_path / "late").exists()
    assert not (tmp_path / "never").exists()
    assert (tmp_path / "logs" / "base.log").read_text() == "fine\nerror: it is broken\n"
    assert "[2/5] child: not started, base failed" in said
    assert len(said) == 5


def test_an_interrupt_terminates_the_processes(job, tmp_path):
    def interrupt(line):
        raise KeyboardInterrupt

    slow = job("slow", 'trap "touch $0/stopped; exit" TERM; while :; do sleep 0.05; done')
    with hold(tmp_path, print) as lock, pytest.raises(KeyboardInterrupt):
        run_jobs([slow, job("quick", "sleep 0.3")], 2, interrupt, [lock])
    assert (tmp_path / "stopped").exists()


def test_runs_that_outlive_a_killed_parent_are_waited_for(tmp_path):
    def make_run():
        line = "touch $0/begun; sleep 1.5; touch $0/ended"
        do([Job("orphan", ["sh", "-c", line, str(tmp_path)], tmp_path, tmp_path / "log", 1)], 1, tmp_path)

    parent = multiprocessing.get_context("fork").Process(target=make_run)
    parent.start()
    while not (tmp_path / "begun").exists():
        assert parent.is_alive()
        time.sleep(0.02)
    parent.kill()
    parent.join()
    said = []
    with hold(tmp_path, said.append):
        assert (tmp_path / "ended").exists()
    assert said == [f"{tmp_path}: runs started earlier are still going; waiting for them to end"]


def test_a_folder_that_cannot_be_written_to_is_named(tmp_path):
    with pytest.raises(StateError, match="nowhere"), hold(tmp_path / "nowhere", print):
        pass
