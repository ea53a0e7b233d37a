"""The five stages of a round. Each returns the name of the stage that follows."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from kecor import run_dir
from kecor.active.annotators.hand_out import is_handed_out
from kecor.active.annotators.wait import collect_labels, hand_out_frames, prelabels_of
from kecor.active.pool_pass import pool_pass
from kecor.active.run import Run
from kecor.active.selection.purchase import choose, predicted_against_true
from kecor.active.selection.selection_file import read_selection
from kecor.active.selection.start import first_frames
from kecor.active.state import DONE, WAITING
from kecor.datasets.account import account, labelled_in
from kecor.datasets.samples import Samples
from kecor.detectors.dropout_passes import DropoutPasses
from kecor.engine import launch
from kecor.engine.evaluate import evaluate
from kecor.engine.train import train
from kecor.errors import DataError
from kecor.files import write_json
from kecor.frame_sets.files import read_frames
from kecor.ntk.diagnostics import kernel_drift
from kecor.structures import FrameSet


def _train(al: Run) -> str:
    """Train on the labelled frames, from the initial weights or, warm, from those of the last round."""
    config, state = al.config, al.state
    warm = config.active.start == "warm" and state.round > 0
    start = al.work_dir / run_dir.INITIAL_WEIGHTS
    if warm:
        start = run_dir.round_dir(al.work_dir, state.round - 1) / run_dir.CHECKPOINT
    seed = int(al.rng("train").integers(2**31))
    samples = Samples(al.oracle.read, state.labelled, config.data, training=True, seed=seed)
    store, others = al.store, labelled_in(al.val_set)
    if state.round == 0 and store is not None:  # without annotators it was given before the run began
        launch.first_on_main(lambda: account(config.data, store, state.labelled, others, al.log, strict=False))
    al.log(f"round {state.round}: training on {len(samples)} frames with {sum(state.boxes)} boxes")
    train(
        al.detector(start),
        samples,
        config.schedule,
        al.folder,
        device=al.device,
        seed=seed,
        launcher=al.launcher,
        progress=al.progress,
    )
    return "evaluate"


def _evaluate(al: Run) -> str:
    """Measure the trained detector on the validation split; the run ends here when there is nothing left to buy."""
    config, val_set = al.config, al.val_set
    metrics = None
    if val_set is not None and any(map(val_set.is_labelled, val_set.ids)):
        metrics = evaluate(
            al.detector(al.folder / run_dir.CHECKPOINT),
            val_set,
            al.metric,
            config.data,
            device=al.device,
            batch_size=config.schedule.batch_size,
            amp=config.schedule.amp,
            progress="evaluate" if al.progress else None,
        )
    launch.first_on_main(lambda: write_json(al.folder / run_dir.METRICS, metrics))
    return after_evaluation(al)


def after_evaluation(al: Run) -> str:
    """The stage that follows the evaluation of this round."""
    if al.state.round == al.config.active.rounds:
        return DONE
    if not al.unlabelled:
        al.log(f"round {al.state.round}: every frame is labelled, the run ends here")
        return DONE
    return "pool"


def _pool(al: Run) -> str:
    """Run the detector over the unlabelled and the labelled frames and keep what the acquisition function needs."""
    _frame_sets(al)
    return "select"


def _frame_sets(al: Run) -> tuple[FrameSet, FrameSet]:
    """What this round's detector found in the unlabelled and the labelled frames; computed where it is missing."""
    number, state = al.state.round, al.state
    if not al.needs:
        return FrameSet(np.array(al.unlabelled, str)), FrameSet(np.array(state.labelled, str))
    if al.frame_sets is None or al.frame_sets[0] != number:
        places = (run_dir.POOL_UNLABELLED, al.unlabelled), (run_dir.POOL_LABELLED, state.labelled)
        for place, ids in places:
            _pool_pass(al, place, ids)
        al.frame_sets = number, _read_pool(al.folder / places[0][0]), _read_pool(al.folder / places[1][0])
    return al.frame_sets[1:]


def _read_pool(folder: Path) -> FrameSet:
    try:
        return read_frames(folder)
    except DataError as error:
        raise DataError(f"{error}; delete {folder} and run again with --resume, which computes it anew") from error


def _pool_pass(al: Run, place: str, ids: list[str]) -> None:
    pool_pass(
        lambda: al.detector(al.folder / run_dir.CHECKPOINT),
        al.oracle,
        ids,
        al.folder / place,
        al.needs,
        al.config.data,
        labelled=place == run_dir.POOL_LABELLED,
        device=al.device,
        batch_size=al.config.schedule.batch_size,
        n_rois=al.config.active.n_rois,
        amp=al.config.schedule.amp,
        dropout=DropoutPasses(al.config.active.dropout_passes, al.config.active.dropout_rate),
        progress=al.progress,
    )


def _select(al: Run) -> str:
    """Ask the acquisition function which frames to label."""
    pool, labelled = _frame_sets(al)
    return launch.first_on_main(lambda: _choose(al, pool, labelled))


def _choose(al: Run, pool: FrameSet, labelled: FrameSet) -> str:
    """Write the acquisition function's checked answer to selection.json; an empty one ends the run."""
    method, number = al.state.method, al.state.round
    rng, neighbours = al.rng("select"), al.neighbours()
    record = {"round": number, **choose(method, al.acquisition, pool, labelled, al.budget, rng, neighbours)}
    record["info"] = _with_drift(al, record["info"])
    write_json(al.folder / run_dir.SELECTION, record)
    if not record["ids"]:
        al.log(f"round {number}: {method} selected no frame (the budget is {al.budget.amount:g}); the run ends here")
        return DONE
    cost = record["predicted_cost"]
    al.log(f"round {number}: {method} selected {len(record['ids'])} of {len(pool)} frames, predicted cost {cost:g}")
    return "label" if al.store is None else WAITING


def _with_drift(al: Run, info: dict[str, Any]) -> dict[str, Any]:
    """``info`` with the change of the kernel since the last round in its diagnostics, where both rounds have any."""
    path = run_dir.round_dir(al.work_dir, al.state.round - 1) / run_dir.SELECTION
    before = read_selection(path, al.ids)["info"].get("diagnostics") if al.state.round > 0 and path.is_file() else None
    after = info.get("diagnostics")
    if not isinstance(before, dict) or not isinstance(after, dict):
        return info
    drift = kernel_drift(before, after)
    return info if drift is None else {**info, "diagnostics": {**after, "drift": drift}}


def _wait(al: Run) -> str:
    """Hand frames to annotators and see what has come back; the first frames of a run begin round 0."""
    assert al.store is not None
    store, is_first = al.store, not al.state.frames[0]
    folder = al.work_dir / run_dir.INITIAL if is_first else al.folder
    if not launch.first_on_main(lambda: is_handed_out(folder)):
        ids = (
            first_frames(store.dataset, al.config)
            if is_first
            else read_selection(al.folder / run_dir.SELECTION, al.ids)["ids"]
        )
        prelabels = {} if is_first else prelabels_of(al, ids, *_frame_sets(al))
        launch.first_on_main(lambda: hand_out_frames(al, store, folder, ids, prelabels))
        return WAITING
    labelled = launch.first_on_main(lambda: collect_labels(al, store, folder))
    if labelled is None:
        return WAITING
    if not is_first:
        return "label"
    al.state.relabel(0, al.oracle.buy(labelled), al.oracle.digest(labelled))
    return "train"


def _label(al: Run) -> str:
    """Buy the labels of the selected frames.

    Frames that annotators have not labelled are not bought.
    """
    path, number = al.folder / run_dir.SELECTION, al.state.round
    record = read_selection(path, al.ids)
    bought = al.oracle.buy([i for i in record["ids"] if al.store is None or al.store.is_stored(i)])
    boxes = list(bought.values())
    cost = float(al.budget.costs(np.array(boxes)).sum())
    paid: dict[str, Any] = {"true_boxes": [bought.get(i) for i in record["ids"]], "true_cost": cost}
    if record.get("predicted_boxes") and bought:
        paid["bought"] = predicted_against_true(record["ids"], record["predicted_boxes"], bought)
    if len(bought) < len(record["ids"]):
        paid["postponed"] = [i for i in record["ids"] if i not in bought]
    launch.first_on_main(lambda: write_json(path, {**record, **paid}))
    al.state.buy(bought, al.oracle.digest(list(bought)))
    al.log(f"round {number}: bought {len(boxes)} frames with {sum(boxes)} boxes, true cost {cost:g}")
    if not al.unlabelled:
        al.log(f"round {number}: the pool is empty now; round {number + 1} is the last")
    return "train"


STAGE_FUNCTIONS: dict[str, Callable[[Run], str]] = {
    "train": _train,
    "evaluate": _evaluate,
    "pool": _pool,
    "select": _select,
    WAITING: _wait,
    "label": _label,
}
"""Name of a stage in the state -> what it does."""
