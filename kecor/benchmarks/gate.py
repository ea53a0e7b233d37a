"""The gate of a study: with equal frames and equal steps, do labels teach? Crowded frames against sparse ones."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np

from kecor import run_dir
from kecor.comparison.statistics import mean_and_sd, sign_flip_p
from kecor.config import Config, dump_config, load_config
from kecor.datasets import build_dataset
from kecor.datasets.base import Dataset
from kecor.datasets.samples import Samples
from kecor.detectors import build_detector
from kecor.engine import launch
from kecor.engine.evaluate import evaluate
from kecor.engine.jobs import check_same_config
from kecor.engine.train import train
from kecor.errors import ConfigError, DataError
from kecor.evaluation import build_metric
from kecor.files import read_json, write_json, write_text
from kecor.tables import format_table

GROUPS = ("sparse", "random", "dense")
CSV = "gate.csv"


def benchmark_gate(config: Path, options: list[str], frames: int, seeds: list[int], work_dir: Path, device: str) -> str:
    """Train on equally many sparse, random and crowded frames and compare the detectors.

    Sparse frames are drawn from the third of the labelled training frames with the fewest boxes, crowded (dense)
    ones from the third with the most, random ones from all. Where crowded frames do not train a better detector, the
    schedule cannot show what a label is worth. ``schedule.iterations`` makes the trainings equally long. Finished
    trainings are not repeated; those of other seeds can be added.

    Args:
        config: a config file.
        options: ``key=value`` on top of it.
        frames: frames of a training.
        seeds: one training of each group a seed: other frames, weights and augmentation.
        work_dir: folder of the trainings and of ``gate.csv``, one line for each of them.
        device: where the detectors run.

    Raises:
        ConfigError: ``frames`` is below 1. DataError: a third holds fewer frames.
        StateError: ``work_dir`` holds trainings of another config.
    """
    if frames < 1:
        raise ConfigError(f"--frames: got {frames}; expected at least 1")
    settings = load_config(config, options)
    with launch.locked_on_main(work_dir):
        check_same_config(settings, work_dir / run_dir.CONFIG)
        write_text(work_dir / run_dir.CONFIG, dump_config(settings))
        rows = _rows(settings, frames, seeds, work_dir, device)
    return f"{_tables(rows)}\n\n{work_dir / CSV}"


def _rows(settings: Config, frames: int, seeds: list[int], work_dir: Path, device: str) -> list[dict[str, Any]]:
    """One row a training; the file of all rows so far is written after each."""
    dataset = build_dataset(settings.data, settings.data.train_split)
    ids = np.array([frame_id for frame_id in dataset.ids if dataset.is_labelled(frame_id)])
    counts = np.array([len(dataset.read_labels(frame_id)[0]) for frame_id in ids])
    rows = []
    for seed in seeds:
        for group in GROUPS:
            chosen = draw(group, counts, frames, seed)
            folder = work_dir / group / f"seed_{seed}"
            headline = _train(settings, dataset, ids[chosen].tolist(), seed, folder, device)
            rows.append(
                {"group": group, "seed": seed, "frames": frames, "boxes": int(counts[chosen].sum()), **headline}
            )
            _write(rows, work_dir / CSV)
    return rows


def draw(group: str, counts: np.ndarray, frames: int, seed: int) -> np.ndarray:
    """(frames,) positions of the frames of one training.

    Args:
        group: sparse, random or dense. counts: (N,) boxes of each frame.

    Raises:
        DataError: there are too few frames.
    """
    order, third = np.argsort(counts, kind="stable"), len(counts) // 3
    candidates = {"sparse": order[:third], "random": order, "dense": order[len(order) - third :]}[group]
    if len(candidates) < frames:
        raise DataError(f"{group}: {len(candidates)} labelled frames to draw {frames} from; lower --frames")
    rng = np.random.default_rng([seed, GROUPS.index(group)])
    return np.sort(rng.choice(candidates, frames, replace=False))


def _train(config: Config, dataset: Dataset, ids: list[str], seed: int, folder: Path, device: str) -> dict[str, Any]:
    """Train on the frames ``ids`` and return the headline on the validation split."""
    metric, path = build_metric(config.evaluation), folder / run_dir.METRICS
    detector = build_detector(config.detector, config.data, seed)
    samples = Samples(dataset.read, ids, config.data, training=True, seed=seed)
    train(detector, samples, config.schedule, folder, device=device, seed=seed)
    if not path.exists():
        validation = build_dataset(config.data, config.data.val_split)
        write_json(path, evaluate(detector, validation, metric, config.data, device=device))
    return dict(metric.headline(read_json(path), config.data.classes))


def _write(rows: list[dict[str, Any]], path: Path) -> None:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())


def _tables(rows: list[dict[str, Any]]) -> str:
    """Mean and standard deviation of each group, and dense minus sparse with its p-value."""
    columns = [
        name for name in rows[0] if name not in ("group", "seed", "frames", "boxes") and rows[0][name] is not None
    ]
    of = {(row["group"], row["seed"]): row for row in rows}
    seeds = sorted({row["seed"] for row in rows})
    lines = []
    for name in columns:
        values = {group: [float(of[group, seed][name]) for seed in seeds] for group in GROUPS}
        cells = [
            f"{mean:.1f}" + ("" if sd is None else f" ({sd:.1f})") for mean, sd in map(mean_and_sd, values.values())
        ]
        gaps = [dense - sparse for dense, sparse in zip(values["dense"], values["sparse"])]
        lines.append([name, *cells, float(np.mean(gaps)), f"{sign_flip_p(gaps, np.random.default_rng(0)):.3g}"])
    boxes = [f"{np.mean([of[group, seed]['boxes'] for seed in seeds]):.0f}" for group in GROUPS]
    header = ["AP, mean (sd) over seeds", *GROUPS, "dense - sparse", "p"]
    return f"seeds: {len(seeds)}\n\n" + format_table(header, [["boxes", *boxes, None, ""], *lines])
