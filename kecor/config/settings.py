"""The sections of a config as typed settings. Numbers carry the range they must lie in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal


@dataclass(frozen=True)
class Range:
    """The numbers from ``low`` to ``high``; ``low`` itself is left out when ``above`` is set."""

    low: float
    high: float
    above: bool = False

    def holds(self, value: float) -> bool:
        """Whether ``value`` lies in the range. NaN does not."""
        return self.low <= value <= self.high and not (self.above and value == self.low)

    def __str__(self) -> str:
        start = f"above {self.low:g} and up" if self.above else f"from {self.low:g}"
        return f"a number {start} to {self.high:g}"


Count = Annotated[int, Range(1, 1_000_000_000)]
CountOrZero = Annotated[int, Range(0, 1_000_000_000)]
Positive = Annotated[float, Range(0, 1e9, above=True)]
NotNegative = Annotated[float, Range(0, 1e9)]
Metres = Annotated[float, Range(-10_000, 10_000)]
Share = Annotated[float, Range(0, 0.999)]


@dataclass
class VoxelConfig:
    """How points become voxels. ``size`` in metres along x, y, z."""

    size: list[Annotated[float, Range(0, 1000, above=True)]]
    max_points: Count = 5
    max_train: Count = 16000
    max_test: Count = 40000


@dataclass
class DataConfig:
    """Which data set, which classes, which part of space, and how training frames are augmented.

    ``point_cloud_range`` is x, y, z of the lowest and of the highest corner, in metres in the LiDAR frame. ``options``
    are the further keys of the section: arguments of the data set's own class. Without ``val_split`` nothing is
    measured.
    """

    type: str
    root: str
    classes: list[str]
    point_cloud_range: list[Metres]
    voxels: VoxelConfig
    train_split: str = "train"
    val_split: str | None = "val"
    augmentation: list[dict[str, Any]] = field(default_factory=list)
    workers: Annotated[int, Range(0, 256)] = 0
    options: dict[str, Any] = field(default_factory=dict)


@dataclass
class ScheduleConfig:
    """Adam one-cycle (Smith 2018): the learning rate rises to ``lr`` and falls, the momentum does the reverse.

    A training is ``epochs`` passes over its frames or, with ``iterations``, that many steps for any number of frames;
    an epoch is then ``iterations / epochs`` steps.
    """

    epochs: Annotated[int, Range(1, 100_000)]
    iterations: Annotated[int, Range(1, 100_000_000)] | None = None
    batch_size: Annotated[int, Range(1, 4096)] = 4
    lr: Annotated[float, Range(0, 100, above=True)] = 0.003
    weight_decay: Annotated[float, Range(0, 100)] = 0.01
    grad_clip: Positive = 10.0
    momentum_high: Share = 0.95
    momentum_low: Share = 0.85
    pct_start: Share = 0.4
    div_factor: Positive = 10.0
    amp: Literal["none", "bf16", "fp16"] = "none"


@dataclass
class ActiveConfig:
    """The rounds: how many frames are labelled at the start, how often labels are bought and for how much.

    The ``first`` frames are drawn at random or spread evenly over sequences and time.
    Only every ``interval``-th frame of the training split can be bought. Bought frames of one sequence lie at least
    ``min_gap`` seconds apart; 0 switches this off.
    """

    initial: Count = 100
    first: Literal["random", "spread"] = "random"
    rounds: Annotated[int, Range(0, 10_000)] = 6
    amount: NotNegative = 100.0
    cost_frame: NotNegative = 1.0
    cost_box: NotNegative = 0.0
    interval: Count = 1
    min_gap: NotNegative = 0.0
    start: Literal["cold", "warm"] = "cold"
    n_rois: Annotated[int, Range(1, 10_000)] = 128
    dropout_passes: Annotated[int, Range(2, 10_000)] = 10
    dropout_rate: Annotated[float, Range(0, 0.999, above=True)] = 0.1


@dataclass
class OracleConfig:
    """Who labels the selected frames: ``simulated`` reveals labels of the data set, ``annotators`` are people.

    ``format`` is the annotation format of what they get and return. A round's labels come back to ``folder/round_NN``
    or, without ``folder``, into what was handed out. Pre-labels are detections that are correct with a probability of
    at least ``min_confidence``.
    """

    type: Literal["simulated", "annotators"] = "simulated"
    format: str = "labelcloud"
    folder: str | None = None
    min_confidence: Annotated[float, Range(0, 1)] = 0.3


@dataclass
class Config:
    """A whole config. ``acquisition`` is used by active learning alone."""

    data: DataConfig
    detector: dict[str, Any]
    schedule: ScheduleConfig
    evaluation: dict[str, Any]
    active: ActiveConfig = field(default_factory=ActiveConfig)
    oracle: OracleConfig = field(default_factory=OracleConfig)
    acquisition: dict[str, Any] = field(default_factory=lambda: {"type": "kecor"})
    seed: Annotated[int, Range(0, 2**31 - 1)] = 0
    custom_imports: list[str] = field(default_factory=list)
