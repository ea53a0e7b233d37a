"""The five stages of a round. Each returns the name of the stage that follows."""

from __future__ import annotations

from typing import Any

from kecor.active.checks import CHECKPOINT, INITIAL, SELECTION
from kecor.active.choose import choose
from kecor.active.feature_store import FeatureStore
from kecor.active.opening import Run
from kecor.active.pool_pass import frame_sets, pool_pass, stored_detections
from kecor.active.state import DONE
from kecor.active.summary import METRICS, round_folder
from kecor.datasets.samples import Samples
from kecor.detectors.dropout_passes import DropoutPasses
from kecor.engine import launch
from kecor.engine.evaluate import evaluate
from kecor.engine.train import train
from kecor.files import read_json, write_json
from kecor.ntk.diagnostics import kernel_drift
from kecor.structures import FrameSet
from kecor.visualization.bird_eye import MAX_PICKS, draw_picks


def _train(al: Run) -> str:
    """Train on the labelled frames, from the initial weights or, warm, from the last round's."""
    config, state = al.config, al.state
    warm = config.active.start == "warm" and state.round > 0
    start = round_folder(al.work_dir, state.round - 1) / CHECKPOINT if warm else al.work_dir / INITIAL
    seed = int(al.rng("train").integers(2**31))
    samples = Samples(al.oracle.read, al.pool.labelled, config.data, training=True, seed=seed)
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
    """Measure the trained detector on the validation split; the run ends here when there is nothing more to buy."""
    config = al.config
    metrics = evaluate(
        al.detector(al.folder / CHECKPOINT),
        al.val_set,
        al.metric,
        config.data,
        device=al.device,
        batch_size=config.schedule.batch_size,
        amp=config.schedule.amp,
        progress="evaluate" if al.progress else None,
    )
    launch.first_on_main(lambda: write_json(al.folder / METRICS, metrics))
    return after_evaluation(al)


def after_evaluation(al: Run) -> str:
    """The stage that follows the evaluation of this round."""
    if al.state.round == al.config.active.rounds:
        return DONE
    if not al.pool.unlabelled:
        al.log(f"round {al.state.round}: every frame is labelled, the run ends here")
        return DONE
    return "pool"


def _pool(al: Run) -> str:
    """Run the detector over the unlabelled and the labelled frames and keep what the acquisition function needs."""
    _pool_pass(al)
    return "select"


def _pool_pass(al: Run) -> FeatureStore | None:
    """What this round's pass left on disk, completed where it is not complete; None where nothing is needed."""
    if not al.needs:
        return None
    return pool_pass(
        lambda: al.detector(al.folder / CHECKPOINT),
        al.oracle,
        [*al.pool.unlabelled, *al.pool.labelled],
        al.folder / "pool",
        al.needs,
        al.config.data,
        device=al.device,
        batch_size=al.config.schedule.batch_size,
        n_rois=al.config.active.n_rois,
        amp=al.config.schedule.amp,
        dropout=DropoutPasses(al.config.active.dropout_passes, al.config.active.dropout_rate),
        progress=al.progress,
    )


def _select(al: Run) -> str:
    """Ask the acquisition function which frames to label."""
    store = _pool_pass(al)
    return launch.first_on_main(lambda: _choose(al, store))


def _choose(al: Run, store: FeatureStore | None) -> str:
    """Write the acquisition function's checked answer to selection.json; an empty one ends the run."""
    free, method, number = al.pool.unlabelled, al.state.method, al.state.round
    if store is None:
        pool, labelled = FrameSet(free), FrameSet(al.pool.labelled)
    else:
        pool, labelled = frame_sets(store, len(free), al.oracle, al.config.data.classes)
    record = {"round": number, **choose(method, al.acquisition, pool, labelled, al.budget, al.rng("select"))}
    record["info"] = _with_drift(al, record["info"])
    write_json(al.folder / SELECTION, record)
    if not record["ids"]:
        al.log(f"round {number}: {method} selected no frame (the budget is {al.budget.amount:g}); the run ends here")
        return DONE
    cost = record["predicted_cost"]
    al.log(f"round {number}: {method} selected {len(record['ids'])} of {len(pool)} frames, predicted cost {cost:g}")
    return "label"


def _with_drift(al: Run, info: dict[str, Any]) -> dict[str, Any]:
    """``info``, and in its diagnostics how far the kernel moved since the round before, where both rounds have one."""
    path = round_folder(al.work_dir, al.state.round - 1) / SELECTION
    before = read_json(path)["info"].get("diagnostics") if al.state.round > 0 and path.is_file() else None
    after = info.get("diagnostics")
    drift = kernel_drift(before, after) if isinstance(before, dict) and isinstance(after, dict) else None
    return info if drift is None else {**info, "diagnostics": {**after, "drift": drift}}


def _label(al: Run) -> str:
    """Buy the labels of the selected frames, and draw the first of them with what was predicted and what is true."""
    path, number = al.folder / SELECTION, al.state.round
    record = read_json(path)
    store = _pool_pass(al)
    boxes = list(al.oracle.label(record["ids"]).values())
    cost = float(al.budget.costs(boxes).sum())
    launch.first_on_main(lambda: write_json(path, {**record, "true_boxes": boxes, "true_cost": cost}))
    launch.first_on_main(lambda: _draw(al, record, store))
    al.pool.label(record["ids"])
    al.state.frames.append(record["ids"])
    al.state.boxes.append(sum(boxes))
    al.log(f"round {number}: bought {len(boxes)} frames with {sum(boxes)} boxes, true cost {cost:g}")
    if not al.pool.unlabelled:
        al.log(f"round {number}: the pool is empty now; round {number + 1} is the last")
    return "train"


def _draw(al: Run, record: dict[str, Any], store: FeatureStore | None) -> None:
    found = stored_detections(store) if store else {}
    shown = zip(record["ids"][:MAX_PICKS], record["gains"])
    frames = [(al.oracle.read(i), found.get(i), f"{i}, gain {gain:.3g}") for i, gain in shown]
    draw_picks(frames, al.folder / "picks.png", al.config.data.classes)


STAGES = {"train": _train, "evaluate": _evaluate, "pool": _pool, "select": _select, "label": _label}
