"""What the acquisition function saw in a finished round of a run."""

from __future__ import annotations

from pathlib import Path

from kecor.active.feature_store import RECORD, FeatureStore
from kecor.active.oracle import SimulatedOracle
from kecor.active.pool_pass import frame_sets
from kecor.active.state import STATE_FILE
from kecor.active.summary import round_folder
from kecor.config import load_config
from kecor.datasets import build_dataset
from kecor.errors import StateError
from kecor.files import read_json
from kecor.structures import FrameSet


def finished_round(work_dir: str | Path, number: int) -> tuple[FrameSet, FrameSet]:
    """The pool and the labelled frames, with their targets, of round ``number`` of the run in ``work_dir``.

    The data set must lie where it lay; features are mapped from the run's folder.

    Raises:
        StateError: the round selected nothing yet, or its method needed nothing of the pool.
        ConfigError, DataError: a file of the run or of the data set is wrong or missing.
    """
    work_dir = Path(work_dir)
    bought = read_json(work_dir / STATE_FILE)["frames"]
    if not 0 <= number < len(bought) - 1:
        raise StateError(f"{work_dir}: round {number} has bought no frames; {len(bought) - 1} rounds from 0 on have")
    labelled = [frame_id for frames in bought[: number + 1] for frame_id in frames]
    folder = round_folder(work_dir, number) / "pool"
    if not (folder / RECORD).is_file():
        raise StateError(f"{folder}: holds no features: the round's method needed none; run one that does, like kecor")
    record = read_json(folder / RECORD)
    if record["arrays"] is None or record["ids"][-len(labelled) :] != labelled:
        raise StateError(f"{folder}: its features are not those of round {number} of {work_dir / STATE_FILE}")
    config = load_config(work_dir / "config.yaml")
    oracle = SimulatedOracle(build_dataset(config.data, config.data.train_split), bought=labelled)
    store = FeatureStore(folder, record["ids"], record["names"])
    return frame_sets(store, len(record["ids"]) - len(labelled), oracle, config.data.classes)
