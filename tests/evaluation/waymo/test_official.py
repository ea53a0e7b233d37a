import sys
from pathlib import Path

import numpy as np
import pytest

from kecor.errors import DataError
from kecor.evaluation.waymo import BREAKDOWNS, GroundTruth, Predictions, evaluate
from kecor.evaluation.waymo.official import VARIABLE, evaluate_official, official_python
from tests.evaluation.waymo.scenes import random_scene


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_equals_the_official_op_also_where_several_assignments_are_best(seed):
    try:
        python = official_python()
    except DataError as error:
        pytest.skip(str(error))
    rng = np.random.default_rng(seed)
    gt, found = (_with_copies(rng, side) for side in random_scene(rng, n_frames=20, n_gt=16, n_predictions=40))
    rows = evaluate(gt, found)
    official = evaluate_official(gt, found, python, tuple(BREAKDOWNS))["breakdowns"]
    assert list(official) == list(rows)
    for name, values in official.items():
        assert (rows[name].ap, rows[name].aph) == pytest.approx((values["AP"], values["APH"]), abs=1e-5), name


def _with_copies(rng, side: GroundTruth | Predictions):
    """Half of the rows take place and type of the row before, some of them turned around."""
    rows = np.arange(1, len(side), 2)
    for array in (side.frame_id, side.boxes, side.type):
        array[rows] = array[rows - 1]
    side.boxes[rows, 6] += rng.choice([0.0, 1.0, np.pi], len(rows))
    return type(side)(**(vars(side) | {"boxes": side.boxes.astype(np.float32)}))


def test_says_what_to_install(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(DataError, match=r"pip install .*waymo-open-dataset-tf-2-12-0==1\.6\.7"):
        official_python()
    with pytest.raises(DataError, match=r"nowhere: no such file; .*pip install"):
        official_python("nowhere")


def test_a_python_without_the_op_is_one_error():
    gt, found = random_scene(np.random.default_rng(0))
    with pytest.raises(DataError, match=r"the official op failed: ModuleNotFoundError.*pip install"):
        evaluate_official(gt, found, Path(sys.executable), ("RANGE",))
