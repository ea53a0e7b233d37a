"""What annotators send: samples of the tools where they are there, our own exports otherwise."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from kecor.labelling.delivery import read_delivery
from kecor.labelling.export import export_frames
from tests.labelling.cases import CLASSES, copied, frames, world
from tests.labelling.test_round_trip import WRITTEN
from tests.labelling.test_samples import SAMPLES
from tests.shared import shared_data

Pair = tuple[Callable[[Path], object], Callable[[Path], object]]


def _sample(sample: str, options: dict[str, str]) -> Pair:
    name = sample.split("/")[0].removesuffix("_cvat_axes")

    def make(folder: Path) -> None:
        source = shared_data("labelling", *sample.split("/"))
        folder.rmdir()
        copied(source, folder)

    return make, lambda folder: read_delivery(folder, name, options=options)


def _export(name: str, options: dict[str, str]) -> Pair:
    def make(folder: Path) -> None:
        before = world()
        folder.rmdir()
        export_frames(folder, name, frames(before), before, CLASSES, options)
        for path in [*folder.rglob("*.pcd"), *folder.rglob("*.npy")]:
            path.unlink()

    return make, lambda folder: read_delivery(folder, name)


READERS = {f"labels: {sample}": _sample(sample, options) for sample, options, _ in SAMPLES}
READERS |= {f"export: {' '.join([name, *options.values()])}": _export(name, options) for name, options, _ in WRITTEN}
