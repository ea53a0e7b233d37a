"""Read every file of a folder of own sweeps: what is wrong with it, and what is in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from kecor.datasets.clouds.found_columns import wrong_columns
from kecor.datasets.clouds.reading import read_cloud
from kecor.datasets.custom.labels import CALLED_NOTHING, read_label_file
from kecor.datasets.custom.layout import find_clouds, read_lists
from kecor.errors import DataError
from kecor.progress import progress_bar
from kecor.structures import Frame

SWEEPS = 50
"""Labelled sweeps that are kept for measuring."""


@dataclass
class Findings:
    """What a folder of own sweeps holds.

    Attributes:
        clouds: frame id -> cloud file.
        points: frame id -> number of points, for the clouds that can be read.
        labels: frame id -> (M, 7) float64 boxes as written and (M,) names, for the labels that can be read.
        sweeps: up to 50 labelled sweeps, evenly spaced, with intensity and boxes as written.
        lists: split name -> frame ids.
        faults: each names its file.
    """

    clouds: dict[str, Path]
    points: dict[str, int] = field(default_factory=dict)
    labels: dict[str, tuple[np.ndarray, np.ndarray]] = field(default_factory=dict)
    sweeps: list[Frame] = field(default_factory=list)
    lists: dict[str, list[str]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def boxes(self) -> tuple[np.ndarray, np.ndarray]:
        """All (M, 7) labelled boxes as written, and their (M,) names."""
        boxes = [np.zeros((0, 7)), *(boxes for boxes, _ in self.labels.values())]
        names = [np.zeros(0, "<U1"), *(names for _, names in self.labels.values())]
        return np.concatenate(boxes), np.concatenate(names)

    def classes(self) -> list[str]:
        """The classes found, most frequent first; names for regions, such as DontCare, are left out."""
        counts = Counter(self.boxes()[1].tolist())
        return [name for name, _ in sorted(counts.items(), key=lambda c: (-c[1], c[0])) if name not in CALLED_NOTHING]


def check_set(root: Path, columns: Sequence[str] | None = None, progress: bool = True) -> Findings:
    """Read every cloud and every label file below ``root``.

    Raises:
        DataError: there is no cloud.
    """
    findings = Findings(find_clouds(root))
    _check_lists(root, findings)
    _check_labels(root, findings)
    labelled = [frame_id for frame_id in findings.clouds if frame_id in findings.labels]
    kept = set(labelled[:: max(1, -(-len(labelled) // SWEEPS))])
    with progress_bar("check", len(findings.clouds), "sweep", shown=progress) as bar:
        for frame_id, path in findings.clouds.items():
            points = _check_cloud(path, columns, findings.faults)
            if points is not None:
                findings.points[frame_id] = len(points)
            if points is not None and frame_id in kept:
                findings.sweeps.append(Frame(frame_id, points, *findings.labels[frame_id]))
            bar.update()
    return findings


def _check_lists(root: Path, findings: Findings) -> None:
    try:
        findings.lists = read_lists(root)
    except DataError as error:
        findings.faults.append(str(error))
    for name, ids in findings.lists.items():
        missing = [frame_id for frame_id in ids if frame_id not in findings.clouds]
        if missing:
            path = root / "ImageSets" / f"{name}.txt"
            findings.faults.append(f"{path}: {len(missing)} of {len(ids)} frames have no cloud, such as {missing[0]}")


def _check_labels(root: Path, findings: Findings) -> None:
    """Read all label files; one without a cloud is a fault."""
    folder = root / "labels"
    paths = sorted([*folder.glob("*.txt"), *folder.glob("*/*.txt")])
    for path in paths:
        frame_id = path.relative_to(folder).with_suffix("").as_posix()
        if frame_id not in findings.clouds:
            findings.faults.append(f"{path}: there is no cloud of frame {frame_id}")
            continue
        try:
            findings.labels[frame_id] = read_label_file(path)
        except DataError as error:
            findings.faults.append(str(error))


def _check_cloud(path: Path, columns: Sequence[str] | None, faults: list[str]) -> np.ndarray | None:
    """The points, where they can be read; what is wrong is added to ``faults``."""
    try:
        points = read_cloud(path, columns)
    except DataError as error:
        faults.append(str(error))
        return None
    wrong = wrong_columns(path, columns)
    if wrong:
        faults.append(wrong)
    return points
