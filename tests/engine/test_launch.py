from __future__ import annotations

import socket

import pytest
import torch

from kecor.engine import launch
from kecor.engine.meeting import job_port
from kecor.errors import ConfigError


def test_a_world_of_one_answers_everything():
    assert (launch.rank(), launch.world_size(), launch.is_main()) == (0, 1, True)
    assert launch.join("none", "cpu") == "cpu"
    assert launch.shard(range(5)) == [0, 1, 2, 3, 4]
    assert launch.merge({"a": 1}) == {"a": 1}
    assert launch.mean(2.5, "cpu") == 2.5
    assert launch.first_on_main(lambda: 7) == 7
    launch.barrier()
    launch.leave()


def test_an_unknown_launcher():
    with pytest.raises(ConfigError, match="'mpi' is none of none, pytorch, slurm"):
        launch.join("mpi", "cpu")


@pytest.mark.parametrize(
    ("launcher", "variable", "start"), [("pytorch", "RANK", "torchrun"), ("slurm", "PROCID", "srun")]
)
def test_a_launcher_that_did_not_start_us(monkeypatch, launcher, variable, start):
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT", "SLURM_PROCID", "SLURM_NTASKS"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(ConfigError, match=rf"{variable}.* not set; start with `{start}"):
        launch.join(launcher, "cpu")


def test_slurm_variables_name_the_place(monkeypatch):
    joined = {}
    monkeypatch.setattr(launch.dist, "init_process_group", lambda backend, **k: joined.update(backend=backend, **k))
    values = {"PROCID": "3", "NTASKS": "8", "LOCALID": "1", "JOB_NODELIST": "gpu[01-02]"}
    for name, value in values.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    monkeypatch.setenv("MASTER_ADDR", "gpu01")
    monkeypatch.setenv("MASTER_PORT", "4000")
    assert launch.join("slurm", "cpu") == "cpu"
    assert (joined["backend"], joined["rank"], joined["world_size"]) == ("gloo", 3, 8)
    assert joined["init_method"] == "tcp://gpu01:4000"


def test_a_port_in_use_is_one_line(monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for name, value in {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0", "MASTER_ADDR": "127.0.0.1"}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("MASTER_PORT", str(port))
        with pytest.raises(
            ConfigError, match=rf"cannot meet the others at 127\.0\.0\.1:{port}.*set MASTER_PORT"
        ) as error:
            launch.join("pytorch", "cpu")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [("MASTER_PORT", "70000"), ("MASTER_PORT", "x"), ("RANK", "-1"), ("WORLD_SIZE", ""), ("RANK", "2")],
)
def test_what_a_launcher_cannot_have_set_is_named(monkeypatch, name, value):
    values = {"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "0", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "4000"}
    for variable, text in {**values, name: value}.items():
        monkeypatch.setenv(variable, text)
    with pytest.raises(ConfigError, match=f"{name}: got '?{value}'?; expected"):
        launch.join("pytorch", "cpu")


def test_a_node_list_that_nobody_can_read(monkeypatch, tmp_path):
    for name, value in {"PROCID": "0", "NTASKS": "2", "LOCALID": "0", "JOB_NODELIST": "gpu01"}.items():
        monkeypatch.setenv(f"SLURM_{name}", value)
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))  # no scontrol
    with pytest.raises(ConfigError, match=r"SLURM_JOB_NODELIST gpu01.*set MASTER_ADDR"):
        launch.join("slurm", "cpu")


def test_more_ranks_than_devices(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    for name, value in {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("MASTER_ADDR", "localhost")
    monkeypatch.setenv("MASTER_PORT", "4000")
    with pytest.raises(ConfigError, match="start one process a device"):
        launch.join("pytorch", "cuda")


def test_two_slurm_jobs_of_one_host_meet_at_different_ports(monkeypatch):
    def port(job, step="0"):
        monkeypatch.setenv("SLURM_JOB_ID", job)
        monkeypatch.setenv("SLURM_STEP_ID", step)
        return job_port()

    assert port("4711") == port("4711")
    monkeypatch.setenv("SLURM_JOB_ID", "x")
    with pytest.raises(ConfigError, match="SLURM_JOB_ID: got 'x'"):
        job_port()
    assert len({port(str(job), step) for job in range(4711, 4731) for step in ("0", "1")}) == 40
    assert all(1024 < port(str(10**k)) < 32768 for k in range(9))
