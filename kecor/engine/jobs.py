"""What ``tools/train.py`` and ``tools/test.py`` do: one training or one evaluation, from a config to files."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kecor import run_dir
from kecor.config import Config, dump_config, load_config
from kecor.config.differences import differences, settings_of
from kecor.datasets import build_dataset
from kecor.datasets.account import account, labelled_in
from kecor.datasets.base import Dataset
from kecor.datasets.samples import Samples
from kecor.detectors import Detector, build_detector, load_pretrained
from kecor.engine import launch
from kecor.engine.evaluate import evaluate
from kecor.engine.train import train
from kecor.errors import StateError
from kecor.evaluation import build_metric
from kecor.files import write_json, write_text
from kecor.frame_ids import ids_in
from kecor.lock import holds_nothing


def to_stderr(line: str) -> None:
    """Print a line to the error output, which keeps results on the output apart."""
    print(line, file=sys.stderr, flush=True)


TRAINED_WITH = ("data.", "detector.", "schedule.", "seed")
"""Sections and keys of a config that a training depends on."""


def train_job(
    config: Config,
    work_dir: Path,
    *,
    device: str,
    launcher: str = "none",
    resume: bool = False,
    pretrained: Path | None = None,
    progress: bool = True,
    log: Callable[[str], None] = to_stderr,
) -> dict[str, Any] | None:
    """Train on the whole training split and evaluate on the validation split.

    Writes ``config.yaml``, ``checkpoint.pth``, ``metrics.json``, ``train.log`` and ``tensorboard/`` to ``work_dir``.
    ``log`` takes a short account of what is trained.

    Returns:
        The metric's result; None where no validation frame has labels.

    Raises:
        StateError: ``work_dir`` holds files and ``resume`` is false, or a training with another config.
        KecorError: see :func:`kecor.engine.train.train` and :func:`kecor.engine.evaluate.evaluate`.
    """
    device = launch.join(launcher, device)
    with launch.locked_on_main(work_dir):
        launch.first_on_main(lambda: check_unused(work_dir, resume))
        launch.first_on_main(lambda: check_same_config(config, work_dir / run_dir.CONFIG))
        data = config.data
        training_set = build_dataset(data, data.train_split)
        validation_set = build_dataset(data, data.val_split)
        detector = build_detector(config.detector, data, config.seed)
        if pretrained is not None:
            load_pretrained(detector, pretrained)
        launch.first_on_main(lambda: account(data, training_set, training_set.ids, labelled_in(validation_set), log))
        samples = Samples(training_set.read, training_set.ids, data, training=True, seed=config.seed)
        if launch.is_main() and not (work_dir / run_dir.CONFIG).exists():
            write_text(work_dir / run_dir.CONFIG, dump_config(config))
        train(
            detector,
            samples,
            config.schedule,
            work_dir,
            device=device,
            seed=config.seed,
            launcher=launcher,
            progress=progress,
        )
        return _measure(config, detector, validation_set, work_dir, device, progress)


def evaluate_job(
    config: Config,
    checkpoint: Path,
    split: str,
    work_dir: Path,
    *,
    device: str,
    launcher: str = "none",
    progress: bool = True,
) -> dict[str, Any] | None:
    """Evaluate a checkpoint on ``split`` (train and val mean the config's).

    Returns:
        The metric's result; None where no frame has labels.

    Writes ``metrics.json`` and result files in the data set's own format, ``results/``, to ``work_dir``.

    Raises:
        StateError: ``results`` already holds other frames. CheckpointError: the checkpoint does not fit.
    """
    device = launch.join(launcher, device)
    with launch.locked_on_main(work_dir):
        data = config.data
        dataset = build_dataset(data, {"train": data.train_split, "val": data.val_split}.get(split, split))
        results = work_dir / run_dir.RESULTS
        others = sorted(ids_in(results) - set(dataset.ids))
        if others:
            raise StateError(f"{results}: holds the results of other frames ({others[0]}); choose another --work-dir")
        detector = build_detector(config.detector, data, config.seed)
        load_pretrained(detector, checkpoint)
        return _measure(config, detector, dataset, work_dir, device, progress, results)


def _measure(
    config: Config,
    detector: Detector,
    dataset: Dataset,
    work_dir: Path,
    device: str,
    progress: bool,
    result_dir: Path | None = None,
) -> dict[str, Any] | None:
    """Evaluate on ``dataset`` as ``config`` says and write ``metrics.json``; None where there is no label."""
    result = evaluate(
        detector,
        dataset,
        build_metric(config.evaluation),
        config.data,
        device=device,
        batch_size=config.schedule.batch_size,
        amp=config.schedule.amp,
        result_dir=result_dir,
        progress="evaluate" if progress else None,
    )
    if launch.is_main() and result is not None:
        write_json(work_dir / run_dir.METRICS, result)
    return result


def check_unused(work_dir: Path, resume: bool) -> None:
    """Check that a fresh run does not write over an old one.

    Raises:
        StateError: ``work_dir`` is a file, or holds anything and ``resume`` is false.
    """
    if work_dir.exists() and not work_dir.is_dir():
        raise StateError(f"{work_dir}: is a file; choose another --work-dir")
    if not resume and not holds_nothing(work_dir):
        raise StateError(f"{work_dir}: is not empty; use --resume to continue it, or choose another --work-dir")


def check_same_config(config: Config, path: Path) -> None:
    """Compare a config with the one that the training began with, if ``path`` is there.

    Raises:
        StateError: a setting that the training depends on has changed. ConfigError: the file there is damaged.
    """
    if not path.exists():
        return
    was, now = (
        {key: value for key, value in settings_of(one).items() if key.startswith(TRAINED_WITH)}
        for one in (load_config(path), config)
    )
    if changes := differences(was, now):
        raise StateError(
            f"{path}: the config has changed since the training began: {changes}; use the old values, or choose "
            "another --work-dir"
        )
