"""What is suspicious about a whole data set in the KITTI layout, though each of its files can be read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kecor.datasets.kitti.check import usable


def set_warnings(root: str | Path, index: dict[str, Any]) -> list[str]:
    """Warnings about empty split lists and frames without labels.

    Args:
        root: the data set.
        index: what :func:`~kecor.datasets.kitti.check.check_dataset` found in it.
    """
    root = Path(root)
    labels = root / "training" / "label_2"
    warnings = [f"{root / 'ImageSets' / name}.txt: lists no frame" for name, ids in index["splits"].items() if not ids]
    ids = usable(index)
    unlabelled = [frame_id for frame_id in ids if not (labels / f"{frame_id}.txt").is_file()]
    if unlabelled:
        warnings.append(
            f"{labels}: {len(unlabelled)} of {len(ids)} frames have no label file, such as {unlabelled[0]}: they can "
            "be selected for labelling, but not trained on"
        )
    return warnings
