"""Settings of the kernel between frames."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from kecor.errors import ConfigError
from kecor.ntk.kernels import KERNELS

CHOICES = {
    "type": KERNELS,
    "arrangement": ("per_roi", "flatten"),
    "output": ("sum", "full"),
    "precision": ("float32", "bfloat16", "float64"),
}
MOST = 10_000_000
"""A larger number of steps, rows or directions would never end."""
COUNTS = ("steps", "batch_size", "rank")
FLAGS = ("standardise", "normalise", "require_convergence")


@dataclass(frozen=True)
class KernelOptions:
    """Settings of the kernel between frames: the section ``acquisition.kernel`` of a config.

    Attributes:
        type: ``ntk`` (empirical neural tangent kernel of a proxy head fitted on the labelled frames); ``last_layer``
            (its last layer alone); or ``linear``, ``rbf``, ``laplace`` on mean RoI features, without a proxy head.
        arrangement: ``per_roi``: the head maps one RoI, and a frame is the score-weighted mean over its RoIs.
            ``flatten``: the head maps the concatenated RoIs of a frame.
        output: ``sum``: gradient of the summed outputs. ``full``: gradients of all outputs; the cost grows with their
            number.
        standardise: standardise the head's inputs and targets with the statistics of the labelled RoIs.
        steps, learning_rate, batch_size: of the Adam optimiser that fits the proxy head. With 100 labelled frames the
            error on held-out frames was lowest after 100 to 300 steps; after 1,000 steps it exceeded that of a constant
            prediction.
        rank: dimension of a random projection of the ``ntk``'s gradients; None for the exact kernel.
        normalise: scale each frame's gradient to unit length. The length grows with the number of objects, so without
            this option large frames are preferred however similar they are to labelled ones.
        precision: ``float32``, ``float64``, or ``bfloat16`` (float32 with bfloat16 inputs to matrix products). The
            proxy head is always fitted in float32.
        require_convergence: raise an error if the fitted head is no better than its initial weights or a constant
            prediction.
        device: torch device of the proxy head and the kernel.

    Raises:
        ConfigError: a value is not one of the choices, or a number is out of range.
    """

    type: str = "ntk"
    arrangement: str = "per_roi"
    output: str = "sum"
    standardise: bool = True
    steps: int = 200
    learning_rate: float = 1e-3
    batch_size: int = 512
    rank: int | None = None
    normalise: bool = True
    precision: str = "float32"
    require_convergence: bool = True
    device: str = "cpu"

    @classmethod
    def of(cls, kernel: str | Mapping[str, Any], **defaults: Any) -> KernelOptions:
        """The options described by a method's argument ``kernel``.

        Args:
            kernel: attributes by name, or the ``type`` alone.
            defaults: attributes whose default differs for the method.

        Raises:
            ConfigError: an attribute is unknown or wrong.
        """
        section = {"type": kernel} if isinstance(kernel, str) else kernel
        if not isinstance(section, Mapping):
            raise ConfigError(f"acquisition.kernel: got {kernel!r}; expected a section of keys")
        names = [field.name for field in dataclasses.fields(cls)]
        for key in section:
            if key not in names:
                near = difflib.get_close_matches(str(key), names, n=1)
                hint = f"did you mean {near[0]!r}?" if near else f"expected one of: {', '.join(names)}"
                raise ConfigError(f"acquisition.kernel.{key}: unknown key; {hint}")
        return cls(**{**defaults, **section})

    def __post_init__(self) -> None:
        for key, choices in CHOICES.items():
            self._require(key, getattr(self, key) in choices, f"one of: {', '.join(choices)}")
        for key in (*COUNTS, "learning_rate"):
            value, kind = getattr(self, key), int if key in COUNTS else (int, float)
            fits = isinstance(value, kind) and not isinstance(value, bool) and 0 < value <= MOST
            wanted = f"an integer from 1 to {MOST}" if key in COUNTS else "a number above zero, such as 0.001"
            self._require(key, fits or (key == "rank" and value is None), wanted)
        for key in FLAGS:
            self._require(key, isinstance(getattr(self, key), bool), "true or false")
        try:
            torch.device(self.device)
        except (RuntimeError, TypeError) as error:
            raise ConfigError(
                f"acquisition.kernel.device: got {self.device!r}; expected a torch device: {error}"
            ) from error

    def _require(self, key: str, fits: bool, wanted: str) -> None:
        if not fits:
            raise ConfigError(f"acquisition.kernel.{key}: got {getattr(self, key)!r}; expected {wanted}")
