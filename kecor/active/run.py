"""A run: its settings, the objects they describe and where it stands; begun anew or resumed from its folder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kecor import run_dir
from kecor.acquisition import Acquisition, build_acquisition
from kecor.active.annotators.corrections import take_corrections
from kecor.active.annotators.stored_labels import StoredLabels
from kecor.active.fingerprints import check_files_unchanged, check_labels_unchanged, label_digest
from kecor.active.oracle import SimulatedOracle
from kecor.active.preflight import (
    check_annotators,
    check_files,
    check_processes,
    check_splits,
    checked_budget,
    has_run,
)
from kecor.active.selection.purchase import checked_needs
from kecor.active.selection.spacing import Neighbours, Place
from kecor.active.selection.start import candidates, find_places, first_frames, must_wait, stage_rng
from kecor.active.state import DONE, ROUNDS_KEY, WAITING, State, digest_of_splits, load_state
from kecor.config import Config, dump_config
from kecor.config.differences import settings_of
from kecor.datasets import build_dataset
from kecor.datasets.account import account, labelled_in
from kecor.datasets.base import Dataset
from kecor.detectors import Detector, build_detector, load_pretrained
from kecor.engine import launch
from kecor.engine.checkpoints import load_checkpoint, save_checkpoint
from kecor.engine.device import autocast
from kecor.evaluation import Metric, build_metric
from kecor.files import file_digest, write_text
from kecor.structures import Budget, FrameSet


@dataclass
class Run:
    """A run: its settings, the objects they describe, and where it stands.

    Attributes:
        ids: frame ids of the training split, in its order.
        places: sequence and time of these frames; empty without ``active.min_gap``.
        store: the labels that annotators returned; None with a simulated oracle.
        accept_missing: go on without frames that annotators have not labelled.
        frame_sets: number of a round and what its detector found in the unlabelled and the labelled frames; None
            before they are read.
    """

    config: Config
    work_dir: Path
    device: str
    launcher: str
    progress: bool
    log: Callable[[str], None]
    ids: list[str]
    places: dict[str, Place]
    val_set: Dataset | None
    metric: Metric
    acquisition: Acquisition
    budget: Budget
    needs: frozenset[str]
    state: State
    oracle: SimulatedOracle
    store: StoredLabels | None = None
    accept_missing: bool = False
    frame_sets: tuple[int, FrameSet, FrameSet] | None = None

    @property
    def folder(self) -> Path:
        """The folder of the current round."""
        return run_dir.round_dir(self.work_dir, self.state.round)

    @property
    def unlabelled(self) -> list[str]:
        """Ids of the frames that can be bought and are not labelled, in the order of the split."""
        labelled = set(self.state.labelled)
        return [frame_id for frame_id in candidates(self.ids, self.config) if frame_id not in labelled]

    def neighbours(self) -> Neighbours | None:
        """The frames that lie too close to labelled ones; None without ``active.min_gap``."""
        gap = self.config.active.min_gap
        return Neighbours(self.places, gap, self.state.labelled) if gap > 0 else None

    def rng(self, stage: str) -> np.random.Generator:
        """The generator of a stage of the current round."""
        return stage_rng(self.state.seed, self.state.round, stage)

    def detector(self, weights: Path) -> Detector:
        """The configured detector with the weights of a checkpoint of ours."""
        detector = build_detector(self.config.detector, self.config.data, seed=self.state.seed)
        load_checkpoint(detector, weights)
        return detector


def open_run(
    config: Config,
    work_dir: Path,
    *,
    device: str,
    launcher: str,
    resume: bool,
    pretrained: Path | None,
    accept_missing: bool,
    progress: bool,
    log: Callable[[str], None],
) -> Run:
    """Begin a run in ``work_dir``, or with ``resume`` continue the one that is there.

    Raises:
        ConfigError: a setting is out of its range. DataError: the data set cannot be read.
        StateError: there is a run and ``resume`` is not set, or the one there cannot be resumed.
    """
    name = config.acquisition["type"]
    acquisition, metric = build_acquisition(config.acquisition), build_metric(config.evaluation)
    budget = checked_budget(config)
    needs = checked_needs(acquisition, budget, name)
    autocast(device, config.schedule.amp)
    source = train_set = build_dataset(config.data, config.data.train_split)
    store = None
    if config.oracle.type == "annotators":
        check_annotators(config)
        needs |= {"detections"}
        store = train_set = StoredLabels(source, work_dir / run_dir.LABELS)
    val_set = None if config.data.val_split is None else build_dataset(config.data, config.data.val_split)
    check_splits(config, source, val_set, log)
    sizes = f"{len(source)} frames to buy from, {len(val_set or ())} to evaluate on"
    log(f"{name}, seed {config.seed}: {sizes}; {work_dir}")

    def begin() -> State:
        """The state on disk, or that of a new run, whose first files are written."""
        settings = settings_of(config, pretrained=str(pretrained) if pretrained else None)
        splits = digest_of_splits(train_set.ids, val_set.ids if val_set else [])
        if has_run(work_dir, resume):
            state = load_state(work_dir, settings, splits)
            check_files(state, config, work_dir)
            check_files_unchanged(state, work_dir)
            if store is None:
                check_labels_unchanged(state, train_set)
            elif take_corrections(state, work_dir, config.oracle, store, log):
                state.save(work_dir)
            check_processes(state)
            write_text(work_dir / run_dir.CONFIG, dump_config(config))
            _add_rounds(state, config, work_dir)
            log(f"resuming at round {state.round}, {state.stage}")
            return state
        chosen = [] if must_wait(source, config) else first_frames(source, config)
        boxes = SimulatedOracle(train_set).buy(chosen)
        if chosen and store is None:
            account(config.data, source, chosen, labelled_in(val_set), log, strict=False)
        _write_start(config, work_dir, pretrained)
        state = State(settings, splits, config.seed, name, [], [])
        state.n_frames, state.processes = len(train_set), launch.world_size()
        state.files[run_dir.INITIAL_WEIGHTS] = file_digest(work_dir / run_dir.INITIAL_WEIGHTS)
        state.buy(boxes, label_digest(train_set, list(boxes)))
        state.stage = state.stage if boxes else WAITING
        state.save(work_dir)
        return state

    state = launch.first_on_main(begin)
    oracle = SimulatedOracle(train_set, state.frames)
    places = find_places(train_set, config, log)
    common = (config, work_dir, device, launcher, progress, log)
    parts = (metric, acquisition, budget, needs, state, oracle)
    return Run(*common, train_set.ids, places, val_set, *parts, store=store, accept_missing=accept_missing)


def _add_rounds(state: State, config: Config, work_dir: Path) -> None:
    """Continue a finished run when ``active.rounds`` has grown since it began."""
    if config.active.rounds > state.settings[ROUNDS_KEY]:
        state.settings[ROUNDS_KEY] = config.active.rounds
        if state.stage == DONE:
            state.stage = "pool"
        state.save(work_dir)


def _write_start(config: Config, work_dir: Path, pretrained: Path | None) -> None:
    """Write the resolved config and the weights that every cold round starts from."""
    detector = build_detector(config.detector, config.data, seed=config.seed)
    if pretrained is not None:
        load_pretrained(detector, pretrained)
    write_text(work_dir / run_dir.CONFIG, dump_config(config))
    save_checkpoint(detector, work_dir / run_dir.INITIAL_WEIGHTS)
