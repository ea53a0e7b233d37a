"""Benchmark of detectors on one frame: the time of each stage, compared with a lower bound from the same run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from kecor.benchmarks.stage_times import measure, report
from kecor.config import Config, load_config
from kecor.datasets import build_dataset
from kecor.datasets.kitti.calibration import read_calibration
from kecor.datasets.kitti.files import read_points
from kecor.datasets.kitti.images import ImageSizes
from kecor.datasets.samples import Samples
from kecor.detectors import build_detector, load_pretrained
from kecor.engine.device import resolve_device
from kecor.errors import ConfigError
from kecor.frame_ids import check_frame_id
from kecor.progress import progress_bar
from kecor.structures import Frame
from kecor.tables import format_table


def kitti_configs() -> list[Path]:
    """The configs in ``configs/kitti``."""
    return sorted((Path(__file__).parents[2] / "configs" / "kitti").glob("*.yaml"))


def benchmark_detector(
    configs: list[Path],
    frame: Path | None,
    data_root: str | None,
    frame_id: str | None,
    checkpoint: Path | None,
    repeat: int,
    train: bool,
    amp: str,
    device: str,
) -> str:
    """Time the stages of detectors on one frame.

    ``floor ms`` is a lower bound for the convolutions and matrix products of a stage: their operations at the rate of a
    large matrix product, or their inputs, weights and outputs moved once at the rate of a large copy, whichever takes
    longer. ``alone ms`` is the time of these operations by themselves, without normalisation, ReLU or anything between
    them, each in its faster memory layout. Times are the fastest of the runs. With random weights, non-maximum
    suppression may have more or less to do than in a trained detector.

    Args:
        configs: config files; the detectors of ``configs/kitti`` if empty.
        frame: a point cloud in KITTI's format, instead of a frame of a data set.
        data_root: root of a data set, instead of the config's.
        frame_id: a frame of the data set; by default the first of the validation split.
        checkpoint: weights to load; random if None.
        repeat: number of runs.
        train: also time a training step.
        amp: ``none`` or ``bf16``.
        device: ``cpu``, ``cuda`` or ``cuda:N``.

    Returns:
        One table per config with a row per stage, and a table that compares the configs.

    Raises:
        ConfigError: ``repeat`` is below 1, ``frame_id`` is given together with ``frame``, or a config is invalid.
        DataError: a file is missing or invalid.
        CheckpointError: the checkpoint does not match the detector.
    """
    if repeat < 1:
        raise ConfigError(f"--repeat: got {repeat}; expected at least 1")
    if frame and frame_id:
        raise ConfigError("--frame-id names a frame of a data set; leave it out with --frame")
    device = resolve_device(device)
    tables, rows, first = [], [], None
    configs = configs or kitti_configs()
    with progress_bar("benchmark", len(configs), "detector") as bar:
        for path in configs:
            config = load_config(path)
            sample = read_sample(config, frame, data_root, frame_id)
            detector = build_detector(config.detector, config.data, config.seed)
            if checkpoint:
                load_pretrained(detector, checkpoint)
            times = measure(detector, sample, repeat, train, amp, device)
            title = f"{path}: frame {sample['frame_id']}, {len(sample['points'])} points, "
            title += f"{len(sample['voxel_features'])} voxels, amp {amp}, {device}, threads: {torch.get_num_threads()}"
            tables.append(f"{title}\n\n{report(times)}")
            first = first or times.total
            rows.append([str(path), times.total * 1e3, 1 / times.total, f"{first / times.total:.2f}"])
            bar.update()
    if len(rows) > 1:
        tables.append(format_table(["config", "ms", "frames/s", "speed-up"], rows))
    return "\n\n".join(tables)


def read_sample(
    config: Config, frame: Path | None = None, data_root: str | None = None, frame_id: str | None = None
) -> dict[str, Any]:
    """The input of the detector for one frame: the point cloud ``frame``, or a frame of a data set if it is None.

    If the calibration file lies next to a KITTI cloud, the cloud is cropped to the camera's view like the frames of the
    data set. It has no boxes.

    Raises:
        DataError: a file is missing or invalid.
    """
    if frame:
        return Samples(
            lambda _: _read_file(frame, bool(config.data.options.get("camera_view"))), [frame.stem], config.data, False
        )[0]
    config.data.root = data_root or config.data.root
    dataset = build_dataset(config.data, config.data.val_split)
    return Samples(dataset.read, [check_frame_id(frame_id or dataset.ids[0], "--frame-id")], config.data, False)[0]


def _read_file(path: Path, camera_view: bool) -> Frame:
    points, folder = read_points(path), path.absolute().parents[1]
    calibration = folder / "calib" / f"{path.stem}.txt"
    if camera_view and calibration.is_file():
        size = ImageSizes(folder.parent, folder.name)(path.stem)
        points = points[read_calibration(calibration).in_view(points, size)]
    return Frame(path.stem, points)
