"""The contract of an acquisition function: what it is given, what it must give back, how it is built and checked."""

from __future__ import annotations

import difflib
import inspect
import json
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import entry_points
from typing import Any, Protocol

import numpy as np

from kecor.errors import ConfigError, KecorError, SelectionError
from kecor.plug_ins import FAULTS, describe_fault, import_plug_in
from kecor.progress import progress_bar
from kecor.registry import ACQUISITIONS
from kecor.structures import Budget, FrameSet, Selection

ENTRY_POINTS = "kecor.acquisitions"
"""Entry-point group whose modules are imported so that what they register can be named in a config."""


class Acquisition(Protocol):
    """A pure function of arrays that chooses which frames to label next.

    Attributes:
        needs: what the pool pass must compute for it, of ``detections``, ``roi_features``, ``embedding`` and
            ``dropout_passes``.
        terms: key of the selection's ``info``, at any depth -> its name and what it means, for reports. Optional: a
            key without an entry is shown as it is.
    """

    needs: frozenset[str]
    terms: Mapping[str, tuple[str, str]] = {}

    def select(self, pool: FrameSet, labelled: FrameSet, budget: Budget, rng: np.random.Generator) -> Selection:
        """Positions in ``pool`` to label, in pick order, within ``budget``; all randomness comes from ``rng``."""
        ...


def build_acquisition(cfg: dict[str, Any]) -> Acquisition:
    """The acquisition function of a section: ``type`` names it, the rest are its constructor's arguments.

    Raises:
        ConfigError: no such method, or an argument it does not take.
        SelectionError: the class declares no ``needs`` or has no ``select``.
    """
    arguments = dict(cfg)
    ACQUISITIONS.import_from_location()
    known = ACQUISITIONS.module_dict
    if "type" not in arguments:
        raise ConfigError(f"acquisition.type is missing; known: {', '.join(sorted(known))}")
    name = str(arguments.pop("type"))
    if name not in known:
        raise ConfigError(f"acquisition.type: unknown method {name!r}; {_hint(name, known)}")
    _check_arguments(name, known[name], arguments)
    try:
        method = known[name](**arguments)
    except KecorError:
        raise
    except FAULTS as error:
        raise ConfigError(f"acquisition: {name}: {describe_fault(error)}") from error
    needs = getattr(method, "needs", None)
    if not isinstance(needs, (set, frozenset)) or not all(isinstance(item, str) for item in needs):
        raise SelectionError(f"{name}: declares no 'needs': a set of names of what the pool pass must compute")
    if not callable(getattr(method, "select", None)):
        raise SelectionError(f"{name}: has no method 'select'")
    return method


def check_argument(key: str, value: Any, fits: bool, wanted: str) -> None:
    """Raise a ConfigError for the constructor's argument ``key`` unless its ``value`` ``fits``; ``wanted`` says what
    would."""
    if not fits:
        raise ConfigError(f"acquisition.{key}: expected {wanted}, got {value!r}")


def load_plugins() -> None:
    """Import what installed packages offer in the entry-point group :data:`ENTRY_POINTS`.

    Raises:
        ConfigError: one cannot be imported; names it and its package.
    """
    for point in entry_points(group=ENTRY_POINTS):
        import_plug_in(point.load, f"entry point {point.name!r} = {point.value}")


def take_best(scores: np.ndarray, pool: FrameSet, budget: Budget) -> Selection:
    """What ``budget`` buys of the frames in the order of their ``scores`` (N,), highest first; equal ones by id."""
    order = np.lexsort((pool.ids, -scores))
    indices = take_within_budget(order, budget.costs(pool.n_boxes()), budget)
    return Selection(indices, gains=scores[indices], scores=scores)


def take_within_budget(order: Iterable[int], costs: np.ndarray, budget: Budget) -> np.ndarray:
    """The frames that ``budget`` buys of a preference ``order`` of positions: the one budget rule of all methods.

    Frames that cost more than the whole budget are never candidates; the walk stops at the first candidate that does
    not fit what is left. ``order`` may be lazy: no more of it is asked for once nothing can fit.

    Args:
        order: positions, best first.
        costs: (N,) cost of each frame.
    """
    affordable = within(costs, budget.amount, budget)
    cheapest = np.min(costs[affordable], initial=np.inf)
    left, taken = float(budget.amount), []
    if not within(cheapest, left, budget):
        return np.zeros(0, np.int64)
    for index in order:
        if not affordable[index]:
            continue
        if not within(costs[index], left, budget):
            break
        taken.append(int(index))
        left -= costs[index]
        if not within(cheapest, left, budget):
            break
    return np.array(taken, np.int64)


def take_picks(picks: Iterable[tuple[int, float]], costs: np.ndarray, budget: Budget) -> tuple[np.ndarray, np.ndarray]:
    """What ``budget`` buys of a lazy greedy search: positions and gains, (k,) each.

    Args:
        picks: position and gain of each pick, best first, of frames that cost no more than the whole budget.
        costs: (N,) cost of each frame.
    """
    gains: list[float] = []

    def order() -> Iterator[int]:
        with progress_bar("select", None, "pick", delay=3.0) as bar:
            for index, gain in picks:
                gains.append(float(gain))
                yield index
                bar.update()

    taken = take_within_budget(order(), costs, budget)
    return taken, np.array(gains[: len(taken)])


def within(cost: Any, amount: float, budget: Budget) -> Any:
    """Whether ``cost`` (a number or an array) is at most ``amount``, forgiving the rounding of sums."""
    return cost <= amount + 1e-9 * max(1.0, budget.amount)


def validate_selection(selection: Selection, pool: FrameSet, budget: Budget, method_name: str) -> None:
    """Check what a method returned for ``pool`` against its contract.

    Raises:
        SelectionError: names the method and what is wrong: a wrong type, positions that are no integers, out of range
            or not unique, gains or scores that are not finite or not one a frame, a cost over the budget.
    """

    def fail(reason: str) -> None:
        raise SelectionError(f"{method_name}: {reason}")

    if not isinstance(selection, Selection):
        fail(f"returned a {type(selection).__name__}, not a Selection")
    indices = np.asarray(selection.indices)
    if indices.ndim != 1 or (len(indices) and not np.issubdtype(indices.dtype, np.integer)):
        fail(f"indices must be (k,) integers, got shape {indices.shape} of {indices.dtype}")
    outside = (indices < 0) | (indices >= len(pool))
    if outside.any():
        fail(f"index {indices[outside][0]} is outside the pool of {len(pool)} frames")
    values, counts = np.unique(indices, return_counts=True)
    if (counts > 1).any():
        fail(f"frame {str(pool.ids[values[counts > 1][0]])!r} was picked more than once")
    for name, array, length in (("gains", selection.gains, len(indices)), ("scores", selection.scores, len(pool))):
        if array is None and name == "scores":
            continue
        array = np.asarray(array)
        if array.shape != (length,) or array.dtype.kind not in "iuf":
            fail(f"{name} must be ({length},) numbers, got shape {array.shape} of {array.dtype}")
        if not np.isfinite(array).all():
            fail(f"{name} are not finite: {array[~np.isfinite(array)][0]} at {np.flatnonzero(~np.isfinite(array))[0]}")
    cost = float(budget.costs(pool.n_boxes()[indices.astype(np.int64)]).sum())
    if not within(cost, budget.amount, budget):
        fail(f"{len(indices)} frames cost {cost:g}, over the budget of {budget.amount:g}")
    if not isinstance(selection.info, dict):
        fail(f"info must be a dict, got a {type(selection.info).__name__}")
    try:
        json.dumps(selection.info, allow_nan=False)
    except (TypeError, ValueError) as error:
        fail(f"info cannot be written as JSON: {error}")


def _hint(name: str, known: Iterable[str]) -> str:
    """The nearest of the ``known`` names, or all of them."""
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(known)) or 'none'}"


def _check_arguments(name: str, method: type, given: dict[str, Any]) -> None:
    """Check that the constructor of ``method``, called ``name``, takes what is ``given`` and gets all it needs."""
    parameters = inspect.signature(method).parameters
    for key in given:
        if key not in parameters:
            raise ConfigError(f"acquisition.{key}: {name}: there is no argument {key!r}; {_hint(key, parameters)}")
    for key, parameter in parameters.items():
        if parameter.default is parameter.empty and key not in given:
            raise ConfigError(f"acquisition.{key} is missing: {name} needs it")
