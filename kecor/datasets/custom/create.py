"""What ``create_data.py custom`` does, but for its picture: check, measure, say so, write the part of a config."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import yaml

from kecor.config.layers import SHIPPED, find_config
from kecor.datasets.custom.account import summary, warnings_of
from kecor.datasets.custom.examine import CONFIG, Outcome, examine
from kecor.errors import DataError
from kecor.files import write_text

FRAGMENT = "kecor_custom.yaml"


def create(
    root: Path,
    out: Path | None = None,
    columns: Sequence[str] | None = None,
    classes: Sequence[str] | None = None,
    label_reading: Sequence[str] = (),
    voxel: float | None = None,
    config: str | Path = CONFIG,
) -> tuple[Outcome, Path]:
    """Check and measure a folder of own sweeps, print what was found and write it as YAML.

    Args:
        root, columns, classes, label_reading, voxel, config: see :func:`~kecor.datasets.custom.examine.examine`.
        out: file to write, by default ``root/kecor_custom.yaml``.

    Returns:
        What was found, and the file.

    Raises:
        DataError: nothing can be measured, or the file cannot be written.
        ConfigError: an argument cannot be used.
    """
    outcome = examine(root, columns, classes, label_reading, voxel, config)
    for warning in warnings_of(outcome):
        print(f"warning: {warning}")
    print(summary(outcome))
    out = out or root / FRAGMENT
    try:
        write_text(out, fragment(outcome, config))
    except OSError as error:
        raise DataError(f"{out}: cannot be written: {error.strerror or error}; name another file with --out") from error
    print(f"config: {out}")
    return outcome, out


def fragment(outcome: Outcome, config: str | Path) -> str:
    """The measured sections as YAML, on top of ``config``: a config as it stands, or the ``_base_`` of another."""
    counts = ", ".join(f"{name} {int((outcome.names == name).sum())}" for name in outcome.classes)
    head = (
        f"# Measured by create_data.py custom on {len(outcome.findings.labels)} labelled sweeps ({counts}).\n"
        "# Keep it as it is during a run: what changes here changes the detector.\n"
    )
    base = find_config(config).resolve()
    if base.is_relative_to(SHIPPED.resolve()):
        base = base.relative_to(SHIPPED.resolve())
    return head + yaml.safe_dump(
        {"_base_": base.as_posix(), **outcome.settings}, sort_keys=False, default_flow_style=None, width=120
    )
