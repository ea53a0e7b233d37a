import numpy as np
import pytest

from kecor.benchmarks import waymo_metric
from kecor.errors import ConfigError, DataError
from kecor.evaluation.waymo import evaluate
from kecor.evaluation.waymo.official import VARIABLE


def test_synthetic_frames_are_a_function_of_the_seed_and_hold_hits_and_misses():
    synthetic = waymo_metric.synthetic
    one, other = (synthetic(5, 20, 30, np.random.default_rng(1)) for _ in range(2))
    assert all(np.array_equal(a, b) for x, y in zip(one, other) for a, b in zip(vars(x).values(), vars(y).values()))
    row = evaluate(*one)["ONE_SHARD_LEVEL_2"]
    assert min(row.tp[0], row.fp[0], row.fn[0]) > 0
    assert row.tp[0] + row.fp[0] <= 150


def test_errors_come_before_any_work(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    benchmark = waymo_metric.benchmark_waymo_metric
    with pytest.raises(ConfigError, match="--frames 0"):
        benchmark(0, 1, 1, None, 0)
    with pytest.raises(DataError, match="pip install"):
        benchmark(10**9, 60, 100, None, 0)


@pytest.mark.slow
def test_table_compares_with_the_official_op():
    try:
        table = waymo_metric.benchmark_waymo_metric(20, 10, 20, None, 0)
    except DataError as error:
        pytest.skip(str(error))
    lines = [line.split() for line in table.splitlines()[4:]]
    assert [line[0] for line in lines] == ["OBJECT_TYPE", "RANGE"]
    assert all(float(line[-1]) < 1e-5 for line in lines)
