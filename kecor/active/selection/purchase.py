"""One purchase: ask an acquisition function which frames to label within a budget, and check its answer."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from kecor.acquisition import Acquisition, build_acquisition, validate_selection
from kecor.acquisition.calibration import calibrated, correlation
from kecor.active.selection.read_only import read_only
from kecor.active.selection.spacing import Neighbours, select_spaced
from kecor.config import check_arguments
from kecor.errors import ConfigError, KecorError, SelectionError
from kecor.plug_ins import FAULTS, describe_fault, source_file
from kecor.registry import ACQUISITIONS
from kecor.structures import Budget, FrameSet, Selection

NEEDS = frozenset({"detections", "roi_scores", "roi_features", "embedding", "dropout_passes"})
"""What an acquisition function can name in its ``needs``."""


def build_method(section: dict[str, Any], flag: str) -> Acquisition:
    """The method a section ``acquisition`` describes; ``flag`` names in errors the argument that set its keys.

    Raises:
        ConfigError: no such method, or an argument is unknown or wrong.
    """
    ACQUISITIONS.import_from_location()
    options = {key: value for key, value in section.items() if key != "type"}
    if section["type"] in ACQUISITIONS.module_dict:
        check_arguments(ACQUISITIONS.module_dict[section["type"]], options, section["type"], flag)
    return build_acquisition(section)


def checked_needs(acquisition: Acquisition, budget: Budget, name: str) -> frozenset[str]:
    """What the pool pass must compute: what the method needs, and what boxes are counted by where they have a price.

    Raises:
        ConfigError: the method needs something the pool pass cannot compute.
    """
    unknown = sorted(set(acquisition.needs) - NEEDS)
    if unknown:
        known = ", ".join(sorted(NEEDS))
        raise ConfigError(f"acquisition {name}: needs {', '.join(unknown)}; the pool pass can compute: {known}")
    return frozenset(acquisition.needs) | ({"detections", "roi_scores"} if budget.cost_box > 0 else set())


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
    name: str,
    method: Acquisition,
    pool: FrameSet,
    labelled: FrameSet,
    budget: Budget,
    rng: np.random.Generator,
    neighbours: Neighbours | None = None,
) -> dict[str, Any]:
    """Ask ``method``, registered as ``name``, which frames of ``pool`` to label.

    With ``neighbours``, no two picks are neighbours of each other or of a labelled frame.

    Returns:
        The checked answer, ready for JSON: ``method``; ``ids`` and ``gains`` in pick order; ``predicted_boxes``, the
        expected number of boxes of each pick (None without RoI scores and detections), and ``predicted_cost`` of all;
        ``info`` of the method, with ``calibration`` (:func:`~kecor.acquisition.calibration.calibrated`), and the
        ``terms`` that explain it.

    Raises:
        SelectionError: the method failed or broke its contract.
    """
    with _faults_named(name, method):
        pool, labelled, calibration = calibrated(pool, labelled)

    def ask(part: FrameSet, amount: Budget) -> Selection:
        with _faults_named(name, method):
            selection = method.select(read_only(part), read_only(labelled), amount, rng)
            validate_selection(selection, part, amount, name)
        return selection

    selection = ask(pool, budget) if neighbours is None else select_spaced(ask, pool, budget, neighbours)
    indices = np.asarray(selection.indices, np.int64)
    boxes = pool.n_boxes()[indices]
    has_boxes = bool(pool.detections) or "expected_counts" in pool.feats
    return {
        "method": name,
        "ids": pool.ids[indices].tolist(),
        "gains": np.asarray(selection.gains, np.float64).tolist(),
        "predicted_boxes": boxes.round(3).tolist() if has_boxes else None,
        "predicted_cost": float(budget.costs(boxes).sum()),
        "info": {**selection.info, "calibration": calibration},
        "terms": _terms(name, method),
    }


def predicted_against_true(ids: list[str], predicted: list[float], bought: Mapping[str, int]) -> dict[str, Any]:
    """How well the expected boxes of the picks ``ids`` match the true ones of those ``bought``: id -> boxes."""
    pairs = np.array([(boxes, bought[i]) for i, boxes in zip(ids, predicted) if i in bought], np.float64)
    means = pairs.mean(0)
    return {
        "predicted_mean": float(means[0]),
        "true_mean": float(means[1]),
        "correlation": correlation(pairs[:, 0], pairs[:, 1]),
    }


@contextlib.contextmanager
def _faults_named(name: str, method: Acquisition) -> Iterator[None]:
    """Turn whatever ``method`` raises, ``sys.exit`` included, into a SelectionError with the line of its code."""
    try:
        yield
    except KecorError:
        raise
    except FAULTS as error:
        fault = describe_fault(error, source_file(method))
        raise SelectionError(
            f"{name}: {fault}; correct the method and run again with --resume: every finished stage is kept"
        ) from error


def _terms(name: str, method: Acquisition) -> dict[str, list[str]]:
    """What explains the method's ``info``, as JSON."""
    terms = getattr(method, "terms", {})
    fits = isinstance(terms, Mapping) and all(
        isinstance(key, str) and isinstance(text, (tuple, list)) and len(text) == 2 and all(map(_is_text, text))
        for key, text in terms.items()
    )
    if not fits:
        raise SelectionError(f"{name}: terms: got {terms!r:.200}; expected a dict: key of info -> (name, meaning)")
    return {key: list(text) for key, text in terms.items()}


def _is_text(value: object) -> bool:
    return isinstance(value, str)
