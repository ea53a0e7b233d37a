"""How numbers are written and what each of them means, for readers who were not there."""

from __future__ import annotations

from typing import Any

from kecor.visualization.run_folder import number

STAGES = ("train", "evaluate", "pool", "select", "label")
DIFFICULTIES = ("easy", "moderate", "hard")

INFO = {
    "rate_gain_sum": ("Coding-rate term, all picks", "how much new variety the picks add to what is labelled (nats)"),
    "rate_gain_mean": ("Coding-rate term, mean of a pick", "the same for one frame"),
    "entropy_gain_sum": ("Entropy term, all picks", "how mixed the predicted classes of the picks are, as weighted"),
    "entropy_gain_mean": ("Entropy term, mean of a pick", "the same for one frame"),
    "overlap_with_top_entropy": (
        "Overlap with top-entropy",
        "share of the picks that entropy alone would have picked too; at 1 the coding rate made no difference",
    ),
    "sigma": ("Noise level sigma", "the larger, the less a frame is marked down for being like frames already chosen"),
    "kernel_scale": (
        "Kernel scale",
        "mean kernel value of a labelled frame with itself, before it is brought to 1",
    ),
    "proxy_loss_first": ("Proxy loss before the fit", "squared error of the small network behind the kernel, at first"),
    "proxy_loss_last": ("Proxy loss after the fit", "the same at the end; it must have fallen"),
    "proxy_loss_mean": ("Proxy loss of a constant", "of always answering the mean target; the fit should do better"),
    "proxy_losses": ("Proxy loss during the fit", "the same at steps from the first to the last, each over one batch"),
    "diagnostics": ("Kernel", None),
    "eigenvalues": ("shares of the strongest directions", "how the variety of the labelled frames is spread"),
    "largest_eigenvalue": ("strength of the strongest direction", "its largest eigenvalue, where frames weigh 1 each"),
    "effective_dimension": (
        "effective dimension",
        "how many kinds of labelled frames it tells apart above the noise; at most their number",
    ),
    "target_alignment": (
        "alignment with the targets",
        "how far frames it calls alike hold alike objects: 1 wholly, 0 not at all",
    ),
    "label_gradient_alignment": (
        "label-gradient alignment",
        "the same, lowered where some frames are called alike to all others",
    ),
    "leading_alignment": (
        "targets held by its strongest directions",
        "the share held by the strongest one, two and so on",
    ),
    "variance_before": ("uncertainty before the picks", "mean posterior variance of a pool frame, given the labelled"),
    "variance_after": ("uncertainty after the picks", "the same of a frame left in the pool, given the picks too"),
    "drift": ("change since the round before", "0: it compares the same frames as then, 1: nothing in common"),
    "candidates": ("Frames to choose from", "how many the first step left for the second"),
    "clusters": ("Clusters", "how many groups of like frames the pool and the labelled frames were put into"),
    "concise": ("Frames after the first filter", "those of the most mixed predicted classes"),
    "prototypes": ("Frames after the second filter", "of these, those whose gradients stand for the others'"),
    "evenness": ("Evenness of point densities", "of the picked boxes, sparse to dense: 1 perfectly even, 0 not at all"),
    "covering": ("Frames after the first step", "those whose gradients cover most of the pool's"),
    "mixed": ("Frames after the second step", "of these, those of the most mixed predicted classes"),
    "class_entropy": (
        "Entropy of all classes",
        "of labelled and picked boxes together (nats): higher is more even",
    ),
    "objective_before": ("Error expected before the picks", "in the method's own units, from Fisher information"),
    "objective_after": ("Error expected after the picks", "the same once the picks are labelled"),
    "picked_forward": (
        "Frames picked, then thinned out",
        "how many the search took before dropping the least useful",
    ),
    "learned_from": ("Frames the loss head learned from", "the labelled ones in which the detector sees anything"),
    "pairs_ranked_rightly": (
        "Pairs of labelled frames ranked rightly",
        "by their loss, by heads that had seen neither frame: near 0.5 nothing of use was learned, 1 is perfect",
    ),
}
"""Key of selection.json's ``info`` -> its name and what it means."""

KERNEL = [
    (
        "Kernel",
        "How alike the selection takes any two frames to be: how much learning from one would change what a small "
        "network (the proxy) says of the other or, for kernels without one, how near their features lie.",
    ),
    (
        "Direction, spectrum",
        "Each direction is one way in which frames differ, strongest first. A spectrum that falls steeply means that a "
        "few ways explain nearly everything; a flat one, that every frame is its own kind.",
    ),
    (
        "Effective dimension",
        "How many directions stand out from the noise (sigma). It should grow while the labels bring new variety.",
    ),
    (
        "Change since the round before",
        "One minus the alignment of the kernels of two rounds on the same frames. It should fall as the detector "
        "settles; a kernel that keeps changing judges the picks of every round by another measure.",
    ),
    (
        "Alignment with the targets",
        "Whether frames the kernel takes for alike hold alike objects. Near 0, the variety it looks for has nothing to "
        "do with the objects.",
    ),
    (
        "Posterior variance",
        "How little a frame's answer follows from the frames labelled so far: 0 where it follows wholly.",
    ),
    (
        "Coding rate, entropy",
        "The two terms of the gain: new variety, and how mixed the predicted classes are. Where one is far larger in "
        "every round, or nearly all picks are those of entropy alone, the other does nothing.",
    ),
]
"""What the picture of the kernel shows, for a reader who sees one for the first time."""

GLOSSARY = [
    ("Frame", "One sweep of the LiDAR: all points of one turn of the sensor."),
    (
        "Labelled boxes",
        "3D boxes that were paid for: those in the frames labelled so far, the initial frames included.",
    ),
    ("Cost", "What these labels cost: the price of a frame times frames plus the price of a box times boxes."),
    (
        "AP",
        "Average precision in percent: the share of detections that are right, averaged over all levels of recall; "
        "100 means every object found and nothing else. A dash: no object of the class to find, or not measured.",
    ),
    ("3D, BEV", "The boxes compared in space (3D), or as seen from above (BEV), where height does not count."),
    ("2D, AOS", "The boxes compared in the camera image (2D); AOS is the 2D value lowered by errors of heading."),
    (
        "Strict, loose",
        "How much a detection must overlap an object to count. Strict is KITTI's rule (Car 0.7, others 0.5); "
        "loose asks 0.5 of cars and 0.25 of the others in 3D and BEV.",
    ),
    (
        "Easy, moderate, hard",
        "KITTI's levels, by the object's height in the image, how much it is hidden and how much it is cut off. "
        "Each level holds the ones before it. AP without a level is moderate.",
    ),
    ("R40, R11", "AP averaged over 40 recall levels (today's KITTI rule), or 11 (the rule before 2019)."),
    ("Gain", "What a frame was worth to the selection method at the moment it was picked; comparable in one round."),
    ("Predicted boxes", "Boxes the detector saw in a frame before it was labelled."),
    ("Pool", "The frames not yet labelled; the pool stage runs the detector over them."),
]


def figure(value: Any, digits: int = 1) -> str | None:
    """A number with ``digits`` decimals; None where there is none."""
    value = number(value)
    return None if value is None else f"{value:.{digits}f}"


def whole(value: Any) -> str | None:
    """A count with thousands marked; None where there is none."""
    value = number(value)
    return None if value is None else f"{value:,.0f}" if value == int(value) else f"{value:,.1f}"


def growth(total: Any, new: Any) -> str | None:
    """A total and what was new in it: ``40 (+20)``."""
    text, added = whole(total), whole(new)
    return text if text is None or added is None else f"{text} (+{added})"


def counted(value: Any, noun: str, plural: str) -> str:
    """``1 frame``, ``20 frames``."""
    return f"{whole(value) or 'no'} {noun if number(value) == 1 else plural}"


def duration(value: Any) -> str | None:
    """Seconds as ``4.2 s``, ``3 min 05 s`` or ``2 h 10 min``; None where there are none."""
    value = number(value)
    if value is None:
        return None
    if round(value, 1) < 60:
        return f"{value:.1f} s"
    minutes, seconds = divmod(round(value), 60)
    return f"{minutes} min {seconds:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


def info_rows(info: dict[str, Any]) -> list[list[str | None]]:
    """[name, value, meaning] of each entry; nested ones by the names of both, long lists by length and range.

    A ``probe``, the part of a kernel kept for the next round, is left out.
    """
    rows: list[list[str | None]] = []
    for key, value in info.items():
        title, meaning = INFO.get(key, (key.replace("_", " "), None))
        if not isinstance(value, dict):
            rows.append([title, _value(value), meaning])
        elif key != "probe":
            rows += [[f"{title}: {name}", text, meaning] for name, text, meaning in info_rows(value)]
    return rows


def _value(value: Any) -> str | None:
    if value is None or isinstance(value, bool):
        return None if value is None else "yes" if value else "no"
    if isinstance(value, (list, tuple)):
        numbers = [n for n in map(number, value) if n is not None]
        if len(value) > 8:
            spread = f", {min(numbers):.4g} to {max(numbers):.4g}" if numbers else ""
            return f"{len(value)} values{spread}"
        return ", ".join(_value(item) or "none" for item in value)
    if isinstance(value, float):
        return None if number(value) is None else f"{value:.4g}"
    return str(value)
