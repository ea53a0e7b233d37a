"""What ``tools/train.py`` and ``tools/test.py`` do: one training or one evaluation, from a config to files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kecor.config import Config, dump_config
from kecor.datasets import KittiDataset, Samples, build_dataset
from kecor.detectors import Detector, build_detector, load_pretrained
from kecor.engine import launch
from kecor.engine.evaluate import evaluate
from kecor.engine.train import train
from kecor.errors import StateError
from kecor.evaluation import build_metric
from kecor.files import write_json, write_text
from kecor.frame_ids import ids_in

CONFIG = "config.yaml"
METRICS = "metrics.json"


def train_job(
    config: Config,
    work_dir: Path,
    *,
    device: str,
    launcher: str = "none",
    resume: bool = False,
    pretrained: Path | None = None,
    progress: bool = True,
) -> dict[str, Any]:
    """Train on the whole training split, evaluate on the validation split, and return the metric's result.

    Writes ``config.yaml``, ``checkpoint.pth``, ``metrics.json``, ``train.log`` and ``tensorboard/`` to ``work_dir``.

    Raises:
        StateError: ``work_dir`` holds files and ``resume`` is false, or it holds another training.
        KecorError: see :func:`kecor.engine.train.train` and :func:`kecor.engine.evaluate.evaluate`.
    """
    device = launch.join(launcher, device)
    launch.first_on_main(lambda: check_unused(work_dir, resume))
    data = config.data
    training_set = build_dataset(data, data.train_split)
    validation_set = build_dataset(data, data.val_split)
    detector = build_detector(config.detector, data, config.seed)
    if pretrained is not None:
        load_pretrained(detector, pretrained)
    samples = Samples(training_set.read, training_set.ids, data, training=True, seed=config.seed)
    if launch.is_main() and not (work_dir / CONFIG).exists():
        write_text(work_dir / CONFIG, dump_config(config))
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
) -> dict[str, Any]:
    """Evaluate a checkpoint on ``split`` (train and val mean the config's) and return the metric's result.

    Writes ``metrics.json`` and one KITTI result file a frame, ``results/ID.txt``, to ``work_dir``.

    Raises:
        StateError: ``results`` already holds other frames. CheckpointError: the checkpoint does not fit.
    """
    device = launch.join(launcher, device)
    data = config.data
    dataset = build_dataset(data, {"train": data.train_split, "val": data.val_split}.get(split, split))
    results = work_dir / "results"
    others = sorted(ids_in(results) - set(dataset.ids))
    if others:
        raise StateError(f"{results}: holds the results of other frames ({others[0]}); choose another --work-dir")
    detector = build_detector(config.detector, data, config.seed)
    load_pretrained(detector, checkpoint)
    return _measure(config, detector, dataset, work_dir, device, progress, results)


def _measure(
    config: Config,
    detector: Detector,
    dataset: KittiDataset,
    work_dir: Path,
    device: str,
    progress: bool,
    result_dir: Path | None = None,
) -> dict[str, Any]:
    """Evaluate on ``dataset`` as ``config`` says and write ``metrics.json``."""
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
    if launch.is_main():
        write_json(work_dir / METRICS, result)
    return result


def check_unused(work_dir: Path, resume: bool) -> None:
    """Check that a fresh run does not write over an old one.

    Raises:
        StateError: ``work_dir`` is a file, or holds anything and ``resume`` is false.
    """
    if work_dir.exists() and not work_dir.is_dir():
        raise StateError(f"{work_dir}: is a file; choose another --work-dir")
    if not resume and work_dir.is_dir() and any(work_dir.iterdir()):
        raise StateError(f"{work_dir}: is not empty; pass --resume to go on with it, or choose another --work-dir")
