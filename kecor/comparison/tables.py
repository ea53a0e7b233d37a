"""The results of a comparison as tables and sentences, for the terminal and the HTML report."""

from __future__ import annotations

import math

from kecor.comparison.results import Paired, Results
from kecor.comparison.savings import POWER, Saving, seeds_to_show
from kecor.comparison.statistics import EXACT, mean_and_sd, seeds_needed, smallest_p
from kecor.visualization.comparison import Table
from kecor.visualization.wording import counted, figure, whole

LEVEL = 0.05
"""Significance level."""
EFFECTS = (0.05, 0.1, 0.2, 0.3)
"""Savings for which the number of seeds is given."""
NOT_REACHED = "not reached"


def tables(results: Results) -> list[Table]:
    """All tables of a comparison, in display order."""
    shown = [_rounds(results), _reach(results), _heights(results)]
    if results.paired:
        shown.append(_paired(results))
    return [*shown, _savings(results), _seeds(results)] if results.savings else shown


def verdict(results: Results) -> list[str]:
    """The conclusions that the results support, as sentences."""
    if results.span is None:
        return [f"The runs share no range of {results.cost}, so the methods cannot be compared at equal cost."]
    if not results.paired:
        if results.against in results.heights:
            return [f"There is nothing to compare {results.against!r} with."]
        return [f"There is no finished run of {results.against!r}, so no method can be compared with it."]
    sentences = [*_power(results.paired), *(_sentence(paired, results) for paired in results.paired)]
    return [*sentences, *(_saved(saving, results) for saving in results.savings)]


def _rounds(results: Results) -> Table:
    rows = []
    for means in results.rounds:
        (frames, _), (boxes, boxes_sd), (ap, ap_sd) = means.frames, means.boxes, means.ap
        rows.append([means.method, means.round, means.seeds, frames, boxes, boxes_sd, ap, ap_sd])
    headers = ["method", "round", "seeds", "frames", "boxes", "boxes sd", "AP", "AP sd"]
    note = f"AP: {results.metric}, percent. Mean and standard deviation over seeds."
    return Table("Round by round", headers, rows, [note])


def _reach(results: Results) -> Table:
    if results.target <= 0:
        note = "Some run never exceeds an AP of 0, so there is no target that all runs reach; set one with --target-ap."
        return Table(f"{results.cost.capitalize()} needed to reach an AP", ["method"], [], [note])
    rows = []
    for reach in results.reach:
        reached = sum(math.isfinite(cost) for cost in reach.costs.values())
        cells = [_cost(reach.median), *(_cost(bound) for bound in reach.interval)]
        by_seed = [_cost(reach.costs[seed]) if seed in reach.costs else None for seed in results.seeds]
        rows.append([reach.method, f"{reached} of {len(reach.costs)}", *cells, *by_seed])
    headers = ["method", "seeds that reach it", "median", "95 % from", "to", *_seed_headers(results)]
    notes = ["A seed that does not reach the target counts as infinite in the median; the interval is a bootstrap."]
    if not results.target_given:
        notes.append("The target is the highest AP that every run reaches; a target chosen before the runs is better.")
    title = f"{results.cost.capitalize()} needed to reach an AP of {results.target:g} ({results.metric})"
    return Table(title, headers, rows, notes)


def _heights(results: Results) -> Table:
    if results.span is None:
        return Table("AP at equal cost", ["method"], [], [f"There is no range of {results.cost} that all runs cover."])
    rows = [
        [method, *mean_and_sd(list(seeds.values())), *(seeds.get(seed) for seed in results.seeds)]
        for method, seeds in results.heights.items()
    ]
    low, high = map(whole, results.span)
    covered = f"the range that all runs cover, {low} to {high} {results.cost}"
    note = f"Mean {results.metric} (area under the curve) over {covered}."
    return Table("AP at equal cost", ["method", "mean", "sd", *_seed_headers(results)], rows, [note])


def _paired(results: Results) -> Table:
    rows = []
    for paired in results.paired:
        by_seed = [paired.differences.get(seed) for seed in results.seeds]
        rows.append([paired.method, paired.mean, _p(paired.p), _p(paired.corrected), *by_seed])
    headers = ["method", "mean", "p", "p corrected", *_seed_headers(results)]
    notes = ["p: exact two-sided sign-flip test over seeds; corrected for the number of methods (Holm)."]
    if max(len(paired.differences) for paired in results.paired) > EXACT:
        notes = ["p: two-sided sign-flip test over seeds, random flips; corrected for the number of methods (Holm)."]
    return Table(f"AP at equal cost, minus that of {results.against}", headers, rows, notes)


def _savings(results: Results) -> Table:
    rows = []
    for one in results.savings:
        by_seed = [one.ratios.get(seed) for seed in results.seeds]
        rows.append([one.method, one.ratio, *one.interval, one.sd, _p(one.p), _p(one.corrected), *by_seed])
    headers = ["method", "ratio", "95 % from", "to", "sd of log", "p", "p corrected", *_seed_headers(results)]
    notes = [
        f"{results.cost.capitalize()} needed, relative to {results.against}; geometric mean over all APs that "
        "both runs of a seed reach. Below 1: cheaper.",
        "p: two-sided sign-flip test of the logarithms over seeds; corrected for the number of methods (Holm).",
    ]
    return Table(f"Cost at equal AP, divided by that of {results.against}", headers, rows, notes)


def _seeds(results: Results) -> Table:
    rows, tests = [], len(results.savings)
    for one in results.savings:
        if one.sd is not None:
            needed = [seeds_to_show(1 - effect, one.sd, LEVEL, tests) for effect in EFFECTS]
            rows.append([one.method, len(one.ratios), *("-" if n is None else str(n) for n in needed)])
    note = (
        f"Seeds with which a true saving of that size would be significant at 5 % with a probability of "
        f"{POWER:.0%}, given the spread between the seeds so far and {counted(tests, 'comparison', 'comparisons')}."
    )
    headers = ["method", "seeds so far", *(f"{effect:.0%} saved" for effect in EFFECTS)]
    return Table("Seeds needed to show a saving", headers, rows, [note])


def _power(paired: list[Paired]) -> list[str]:
    """Whether any difference can be significant with this number of seeds and methods."""
    most, tests = max(len(one.differences) for one in paired), len(paired)
    least, needed = min(1.0, tests * smallest_p(most)), seeds_needed(LEVEL, tests)
    among = f" among {tests} methods" if tests > 1 else ""
    if least > LEVEL:
        return [
            f"With {counted(most, 'seed', 'seeds')} no difference{among} can be significant at 5 %: the smallest "
            f"possible p is {_p(least)}; at least {needed} seeds are needed."
        ]
    return [f"With {most} seeds the smallest possible p{among} is {_p(least)}."]


def _sentence(paired: Paired, results: Results) -> str:
    values = list(paired.differences.values())
    low, high = map(whole, results.span or (0, 0))
    seeds, way = counted(len(values), "seed", "seeds"), "above" if paired.mean >= 0 else "below"
    same_sign = sum((value > 0) == (paired.mean > 0) and value != 0 for value in values)
    shown = "the difference is significant at 5 %" if paired.corrected <= LEVEL else "the difference is not significant"
    return (
        f"{paired.method}: on average {figure(abs(paired.mean), 2)} AP {way} {results.against} "
        f"from {low} to {high} {results.cost}, {way} it in {same_sign} of {seeds}, "
        f"corrected p = {_p(paired.corrected)}: {shown}."
    )


def _saved(saving: Saving, results: Results) -> str:
    part, way = abs(saving.ratio - 1), "less" if saving.ratio < 1 else "more"
    low, high = saving.interval
    return (
        f"{saving.method}: at equal AP it costs {part:.0%} {way} than {results.against}, counted in {results.cost} "
        f"(ratio {saving.ratio:.2f}, 95 % from {low:.2f} to {high:.2f}, corrected p = {_p(saving.corrected)})."
    )


def _seed_headers(results: Results) -> list[str]:
    return [f"seed {seed}" for seed in results.seeds]


def _cost(value: float) -> str:
    return NOT_REACHED if math.isinf(value) else f"{value:.0f}"


def _p(value: float) -> str:
    return f"{value:.3g}"
