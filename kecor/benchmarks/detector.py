"""Detectors on one frame: the time of each stage beside the least its operations can take, measured in one run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config as FileConfig

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


def plain_configs() -> list[Path]:
    """The detector configs of ``configs/kitti`` that choose no frames."""
    folder = Path(__file__).parents[2] / "configs" / "kitti"
    files = sorted(folder.glob("*.yaml"))
    return [path for path in files if "acquisition" not in FileConfig.fromfile(path, import_custom_modules=False)]


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
    """A table for each config, one line a stage, and a last one that compares the configs.

    ``floor ms`` is what a stage's convolutions and matrix products take at least: their operations at the rate of a
    large matrix product, or their inputs, weights and outputs, each moved once, at the rate of a large copy, whichever
    takes longer. ``alone ms`` is what they take by themselves: no normalisation, no ReLU, nothing between them, each in
    the memory layout in which it is faster; ``whole / plain convolutions`` compares all with that. Times are the
    fastest of the runs. Weights are random unless a checkpoint is given: suppression may find more or less to do than
    in a trained detector.

    Raises:
        ConfigError: ``repeat`` is not above zero, or ``frame_id`` is given for a file; a faulty config.
        DataError: a file is missing or faulty.
        CheckpointError: a checkpoint that does not fit.
    """
    if repeat < 1:
        raise ConfigError(f"--repeat {repeat}: at least one run is needed")
    if frame and frame_id:
        raise ConfigError("--frame-id names a frame of a data set; leave it out with --frame")
    device = resolve_device(device)
    texts, rows, first = [], [], None
    configs = configs or plain_configs()
    with progress_bar("benchmark", len(configs), "detector") as bar:
        for path in configs:
            config = load_config(path)
            sample = read_sample(config, frame, data_root, frame_id)
            detector = build_detector(config.detector, config.data, config.seed)
            if checkpoint:
                load_pretrained(detector, checkpoint)
            found = measure(detector, sample, repeat, train, amp, device)
            title = f"{path}: frame {sample['frame_id']}, {len(sample['points'])} points, "
            title += f"{len(sample['voxel_features'])} voxels, amp {amp}, {device}, threads: {torch.get_num_threads()}"
            texts.append(f"{title}\n\n{report(found)}")
            first = first or found.whole
            rows.append([str(path), found.whole * 1e3, 1 / found.whole, f"{first / found.whole:.2f}"])
            bar.update()
    if len(rows) > 1:
        texts.append(format_table(["config", "ms", "frames/s", "times the first's"], rows))
    return "\n\n".join(texts)


def read_sample(
    config: Config, frame: Path | None = None, data_root: str | None = None, frame_id: str | None = None
) -> dict[str, Any]:
    """Network input of the cloud in the file ``frame``; without one, of a frame of the config's (or another) data set.

    A file's cloud is cropped to the camera's view, as the data set does, where the calibration lies beside it, and has
    no boxes. ``frame_id`` is by default the first of the validation split.

    Raises:
        DataError: a file is missing or faulty.
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
