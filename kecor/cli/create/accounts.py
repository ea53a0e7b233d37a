"""Print the account of a data set that was checked or converted: what is there, and what looks wrong about it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any


def print_account(
    config: str,
    root: Path,
    splits: Sequence[str],
    ids: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
    **options: Any,
) -> None:
    """Print the account of each split, as a config with ``root`` would train it; faults are warnings.

    Args:
        config: name of a shipped config, whose volume and voxels count.
        root: the data set.
        splits: names of splits.
        ids: frames to look at; by default all of the split.
        classes: by default those of the config.
        options: further keys of the section ``data``.
    """
    from kecor.config import load_config
    from kecor.datasets import build_dataset
    from kecor.datasets.account import account
    from kecor.errors import KecorError

    data = load_config(config).data
    data.root, data.options = str(root), {**data.options, **options}
    data.classes = list(classes or data.classes)
    for split in splits:
        try:
            with warnings.catch_warnings(action="ignore"):  # frames left out were named by the check
                dataset = build_dataset(data, split)
            labelled = [i for i in (dataset.ids if ids is None else ids) if dataset.is_labelled(i)]
            if labelled:
                account(data, dataset, labelled, log=partial(_print, split), strict=False)
            else:
                print(f"{split}: no frame is labelled")
        except KecorError as error:
            print(f"warning: {error}")


def _print(split: str, line: str) -> None:
    """Print a line of an account with its split in front, but after ``warning:``."""
    kind = "warning: " if line.startswith("warning: ") else ""
    print(f"{kind}{split}: {line.removeprefix(kind)}")
