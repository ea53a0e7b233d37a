"""Arguments and features out of all proportion: a method answers, or names the argument or the frames, in time."""

import dataclasses
import inspect

import numpy as np
import pytest

from kecor.acquisition import build_acquisition, validate_selection
from kecor.ntk import KernelOptions
from kecor.registry import ACQUISITIONS
from kecor.structures import Budget
from tests.acquisition.test_conformance import LABELLED, METHODS, POOL, VARIANTS
from tests.fuzz.cases import FAILED, outcome_of

SEVERAL = (1e-30, 1e30, 10**12, -1, 0)
CHANGES = {
    "1e30": lambda values: values * np.float32(1e30),
    "the largest number": lambda values: np.sign(values) * np.finfo(values.dtype).max,
    "the smallest number": lambda values: np.sign(values) * np.finfo(values.dtype).smallest_subnormal,
    "zero": np.zeros_like,
    "all alike": lambda values: np.broadcast_to(values[:1], values.shape).copy(),
}
CHANGED = ("roi_features", "embedding", "roi_logits", "pass_logits", "pass_boxes")


def is_number(value):
    return value is None or (isinstance(value, (int, float)) and not isinstance(value, bool))


def arguments_of(section):
    """Names of the numeric arguments of a method, those of its kernel as ``kernel.name``."""
    parameters = inspect.signature(ACQUISITIONS.get(section["type"])).parameters
    own = [name for name, parameter in parameters.items() if is_number(parameter.default)]
    kernel = dataclasses.fields(KernelOptions) if isinstance(section.get("kernel"), dict) else ()
    return own + [f"kernel.{field.name}" for field in kernel if is_number(field.default)]


def changed(section, name, value):
    first, _, second = name.partition(".")
    return {**section, first: {**section[first], second: value} if second else value}


def answer(section, pool, labelled):
    budget = Budget(6)
    selection = build_acquisition(section).select(pool, labelled, budget, np.random.default_rng(0))
    validate_selection(selection, pool, budget, section["type"])
    assert np.isfinite(selection.gains).all()


@pytest.mark.parametrize("name", METHODS)
def test_arguments_out_of_all_proportion(name):
    section = VARIANTS.get(name, {"type": name})
    for key in arguments_of(section):
        for value in SEVERAL:
            case = changed(section, key, value)
            outcome = outcome_of(lambda case=case: answer(case, POOL, LABELLED))
            assert outcome.kind != FAILED, f"{key} = {value}: {outcome.text}"
            if outcome.text:
                assert key.rpartition(".")[2] in outcome.text


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", METHODS)
def test_features_out_of_all_proportion(name, change):
    def of(frames):
        feats = {key: CHANGES[change](value) if key in CHANGED else value for key, value in frames.feats.items()}
        return dataclasses.replace(frames, feats=feats)

    section = VARIANTS.get(name, {"type": name})
    with np.errstate(all="ignore"):
        pool, labelled = of(POOL), of(LABELLED)
        outcome = outcome_of(lambda: answer(section, pool, labelled))
    assert outcome.kind != FAILED, outcome.text
