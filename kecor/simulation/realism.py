"""Compares simulated frames with real ones in a table and a picture.

python -m kecor.simulation.realism --real DIR --simulated DIR --replayed DIR --out docs/images/simulator.png
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from kecor.cli.guard import main_guard
from kecor.datasets.kitti.dataset import KittiDataset
from kecor.geometry.boxes import bev_corners
from kecor.ops import count_points_in_boxes
from kecor.structures import Frame

CLASSES = ("Car", "Pedestrian", "Cyclist")
DISTANCES = np.array([5, 10, 15, 20, 30, 40, 50, 70])
"""Edges of the distance bands in metres."""
MIN_CARS = 5
"""Cars that a distance band needs for a median."""


@dataclass(frozen=True)
class Counts:
    """Statistics of F frames with B boxes in the camera's view.

    Attributes:
        points: (F,) number of points in each frame.
        objects: (F,) number of boxes in each frame.
        names: (B,) class of each box.
        inside: (B,) number of points in each box.
        distance: (B,) horizontal distance of each box from the sensor in metres.
        clear: (B,) bool, whether the box is neither occluded nor truncated.
        intensity: mean intensity of all points.
    """

    points: np.ndarray
    objects: np.ndarray
    names: np.ndarray
    inside: np.ndarray
    distance: np.ndarray
    clear: np.ndarray
    intensity: float

    def points_in_clear_cars(self) -> np.ndarray:
        """Median number of points in clear cars in each band of ``DISTANCES``; NaN for bands with too few cars."""
        cars = (self.names == "Car") & self.clear
        band = np.digitize(self.distance, DISTANCES)
        groups = [self.inside[cars & (band == i)] for i in range(1, len(DISTANCES))]
        return np.array([np.median(g) if len(g) >= MIN_CARS else np.nan for g in groups])


def count(frames: Sequence[Frame]) -> Counts:
    """The statistics of labelled frames."""
    boxes = np.concatenate([f.boxes for f in frames])
    intensities = np.concatenate([f.points[:, 3] for f in frames])
    return Counts(
        points=np.array([len(f.points) for f in frames]),
        objects=np.array([len(f.boxes) for f in frames]),
        names=np.concatenate([f.names for f in frames]),
        inside=np.concatenate([count_points_in_boxes(f.points, f.boxes) for f in frames]),
        distance=np.hypot(boxes[:, 0], boxes[:, 1]),
        clear=np.concatenate([(f.meta["occluded"] == 0) & (f.meta["truncated"] < 0.1) for f in frames]),
        intensity=float(intensities.mean()),
    )


def _percentiles(values: np.ndarray) -> str:
    low, high = np.quantile(values, [0.05, 0.95])
    return f"{low:.0f} to {high:.0f}"


def table(sets: dict[str, Counts]) -> str:
    """A Markdown table with one column per data set."""
    rows: list[tuple[str, list[str]]] = [
        ("frames", [str(len(c.points)) for c in sets.values()]),
        ("points a frame, mean", [f"{c.points.mean():.0f}" for c in sets.values()]),
        ("points a frame, 5 % to 95 %", [_percentiles(c.points) for c in sets.values()]),
        ("boxes a frame, mean (most)", [f"{c.objects.mean():.1f} ({c.objects.max()})" for c in sets.values()]),
        ("mean intensity", [f"{c.intensity:.2f}" for c in sets.values()]),
    ]
    for name in CLASSES:
        groups = [c.inside[c.names == name] for c in sets.values()]
        rows.append((f"{name}: boxes", [str(len(g)) for g in groups]))
        shares = [f"{100 * (g == 0).mean():.1f} %" if len(g) else "-" for g in groups]
        rows.append((f"{name}: boxes without points", shares))
    curves = [c.points_in_clear_cars() for c in sets.values()]
    for i, (low, high) in enumerate(pairwise(DISTANCES)):
        values = ["-" if np.isnan(curve[i]) else f"{curve[i]:.0f}" for curve in curves]
        rows.append((f"points in a clear car, {low} to {high} m, median", values))
    head = ["| |" + "".join(f" {name} |" for name in sets), "|---|" + "---|" * len(sets)]
    return "\n".join(head + [f"| {title} |" + "".join(f" {v} |" for v in values) for title, values in rows])


def draw(real: Frame, simulated: Frame, sets: dict[str, Counts], path: str | Path) -> None:
    """Write a PNG: a real and a simulated frame from above, and the points in clear cars over distance."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 5.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 3, width_ratios=[1, 1, 1.1])
    for axis, frame, title in zip(axes, (real, simulated), ("real", "simulated")):
        x, y, z = frame.points[:, :3].T
        axis.scatter(-y, x, c=z, s=0.8, vmin=-2.2, vmax=1.5, linewidths=0)
        for outline in bev_corners(frame.boxes)[:, [0, 1, 2, 3, 0]]:
            axis.plot(-outline[:, 1], outline[:, 0], color="red", linewidth=0.9)
        axis.set(xlim=(-30, 30), ylim=(0, 70), aspect="equal", xlabel="m", ylabel="m ahead")
        axis.set_title(f"{title}: {len(frame.points)} points")
    middles = (DISTANCES[:-1] + DISTANCES[1:]) / 2
    for name, counts in sets.items():
        axes[2].semilogy(middles, counts.points_in_clear_cars(), marker="o", label=name)
    axes[2].set(xlabel="distance (m)", ylabel="median points", title="points in a clear car")
    axes[2].grid(alpha=0.3)
    axes[2].legend()
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=90)


def _frames(root: Path, split: str) -> list[Frame]:
    dataset = KittiDataset(root, split, CLASSES)
    return [dataset.read(frame_id) for frame_id in dataset.ids]


def _typical(frames: Sequence[Frame]) -> Frame:
    """The first frame with six to ten boxes, or else the one with the most."""
    return next((f for f in frames if 6 <= len(f.boxes) <= 10), max(frames, key=lambda f: len(f.boxes)))


@main_guard
def main() -> None:
    """Compare data sets in the KITTI layout."""
    parser = argparse.ArgumentParser(
        prog="python -m kecor.simulation.realism",
        description="Compare simulated frames with real ones: print a table and draw a picture.",
        epilog="example: python -m kecor.simulation.realism --real data/kitti --simulated data/simulated --out out.png",
    )
    parser.add_argument("--real", type=Path, required=True, help="a real data set in the KITTI layout")
    parser.add_argument("--simulated", type=Path, required=True, help="a simulated data set of random scenes")
    parser.add_argument("--replayed", type=Path, help="a simulated data set of replayed label files")
    parser.add_argument("--split", default="trainval", help="split to compare (default: %(default)s)")
    parser.add_argument("--out", type=Path, required=True, help="PNG file to write")
    args = parser.parse_args()
    roots = {"real": args.real, "simulated": args.simulated} | ({"replayed": args.replayed} if args.replayed else {})
    frames = {name: _frames(root, args.split) for name, root in roots.items()}
    sets = {name: count(frames_of_set) for name, frames_of_set in frames.items()}
    print(table(sets))
    draw(_typical(frames["real"]), _typical(frames["simulated"]), sets, args.out)
    print(f"\npicture: {args.out}")


if __name__ == "__main__":
    raise SystemExit(main())
