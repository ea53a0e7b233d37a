"""One purchase: a method, a budget and two sets of frames in, the record of what to label out."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from kecor.acquisition import Acquisition, build_acquisition, validate_selection
from kecor.config import check_arguments
from kecor.errors import ConfigError
from kecor.registry import ACQUISITIONS
from kecor.structures import Budget, FrameSet

NEEDS = frozenset({"detections", "roi_features", "embedding", "dropout_passes"})
"""What an acquisition function can name in its ``needs``."""


def build_method(name: str, options: dict[str, Any], flag: str) -> Acquisition:
    """The method ``name`` with ``options``, given by the command-line argument ``flag``, as constructor arguments.

    Raises:
        ConfigError: no such method, or an argument that it does not take or refuses.
    """
    ACQUISITIONS.import_from_location()
    if name in ACQUISITIONS.module_dict:
        check_arguments(ACQUISITIONS.module_dict[name], options, name, flag)
    return build_acquisition({**options, "type": name})


def checked_needs(acquisition: Acquisition, budget: Budget, name: str) -> frozenset[str]:
    """What must be known of the frames: what the method names, and detections where boxes have a price.

    Raises:
        ConfigError: the method needs what there is not.
    """
    unknown = sorted(set(acquisition.needs) - NEEDS)
    if unknown:
        known = ", ".join(sorted(NEEDS))
        raise ConfigError(f"acquisition {name}: needs {', '.join(unknown)}; the pool pass can give {known}")
    return frozenset(acquisition.needs) | ({"detections"} if budget.cost_box > 0 else set())


def build_budget(amount: float, cost_frame: float, cost_box: float) -> Budget:
    """A budget from the command line.

    Raises:
        ConfigError: a number is negative or not finite, or neither frames nor boxes have a price.
    """
    try:
        if not all(map(math.isfinite, (amount, cost_frame, cost_box))):
            raise ValueError(f"not finite: {amount}, {cost_frame}, {cost_box}")
        return Budget(amount, cost_frame, cost_box)
    except ValueError as error:
        raise ConfigError(f"--budget, --cost-frame, --cost-box: {error}") from error


def choose(
    name: str, method: Acquisition, pool: FrameSet, labelled: FrameSet, budget: Budget, rng: np.random.Generator
) -> dict[str, Any]:
    """Ask ``method``, called ``name``, which frames of ``pool`` to label; its checked answer, ready for JSON.

    Returns:
        ``method``; ``ids`` and ``gains`` in pick order; ``predicted_boxes`` of each pick (None without detections) and
        ``predicted_cost`` of all; ``info`` of the method and the ``terms`` that explain it.

    Raises:
        SelectionError: the method cannot work with these frames, or broke its contract.
    """
    selection = method.select(pool, labelled, budget, rng)
    validate_selection(selection, pool, budget, name)
    indices = np.asarray(selection.indices, np.int64)
    boxes = pool.n_boxes()[indices]
    return {
        "method": name,
        "ids": pool.ids[indices].tolist(),
        "gains": np.asarray(selection.gains, np.float64).tolist(),
        "predicted_boxes": boxes.tolist() if pool.detections else None,
        "predicted_cost": float(budget.costs(boxes).sum()),
        "info": selection.info,
        "terms": {key: list(text) for key, text in getattr(method, "terms", {}).items()},
    }
