from __future__ import annotations

import pytest
import torch

from kecor.engine import launch
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
        return launch._port_of_job()

    assert port("4711") == port("4711")
    assert len({port(str(job), step) for job in range(4711, 4731) for step in ("0", "1")}) == 40
    assert all(1024 < port(str(10**k)) < 32768 for k in range(9))
