"""What was found in a folder of own sweeps, in plain words: a table, notes, and warnings about what looks wrong."""

from __future__ import annotations

import numpy as np

from kecor.datasets.account.boxes_held import about_boxes_held
from kecor.datasets.account.sample import Sample
from kecor.datasets.account.values import about_coordinates, about_headings, about_intensity
from kecor.datasets.convention import apply_readings
from kecor.datasets.custom.examine import Outcome
from kecor.datasets.custom.layout import POOL
from kecor.datasets.custom.measure import FEW, outside
from kecor.tables import format_table

ENOUGH = 100
"""Boxes below which the volume is not to be trusted."""
SHOWN = 5
"""Faults and frames that are named; the rest is counted."""


def summary(outcome: Outcome) -> str:
    """A table of the classes and a few lines on frames and points."""
    findings, data = outcome.findings, outcome.settings["data"]
    boxes = apply_readings(outcome.boxes, data["label_reading"])
    rows = []
    for anchor in outcome.settings["detector"]["dense_head"]["anchors"]:
        own = outcome.names == anchor["name"]
        beyond = int(outside(boxes[own], data["point_cloud_range"]).sum())
        rows.append([anchor["name"], int(own.sum()), *anchor["size"], anchor["bottom"], beyond])
    points = list(findings.points.values())
    table = format_table(["class", "boxes", "length", "width", "height", "bottom", "outside"], rows)
    limit, lost = data["voxels"]["max_train"], int((outcome.voxels > data["voxels"]["max_train"]).sum())
    return "\n".join(
        [
            f"{len(findings.clouds)} sweeps, {len(points)} of them readable, {len(findings.labels)} labelled; "
            f"the others are the pool",
            f"{np.median(points):.0f} points a sweep (median; {min(points)} to {max(points)}), "
            f"columns {', '.join(data['columns'])}, {_intensity(data['intensity'])}",
            table,
            f"volume {data['point_cloud_range']} m, voxels {data['voxels']['size']} m; at most {limit} voxels a sweep: "
            f"{lost} of {len(outcome.voxels)} sweeps lose some",
        ]
    )


def _intensity(scale: float) -> str:
    if scale == 0:
        return "no intensity"
    return "intensity as it is" if scale == 1 else f"intensity divided by {scale:g}"


def warnings_of(outcome: Outcome) -> list[str]:
    """What looks wrong or may surprise, the most serious first."""
    return [
        *_about_files(outcome),
        *_about_convention(outcome),
        *_about_boxes(outcome),
        *_about_lists(outcome),
    ]


def _about_files(outcome: Outcome) -> list[str]:
    faults = outcome.findings.faults
    more = [f"... and {len(faults) - SHOWN} faults more"] if len(faults) > SHOWN else []
    return faults[:SHOWN] + more


def _about_convention(outcome: Outcome) -> list[str]:
    reading, scale = outcome.settings["data"]["label_reading"], outcome.settings["data"]["intensity"]
    return [
        *about_coordinates(outcome.sweeps),
        *about_boxes_held(Sample(outcome.sweeps, outcome.as_written, []), reading),
        *about_headings(outcome.as_written, reading),
        *about_intensity(outcome.as_written, advice=f"data.intensity: {scale:g} divides it"),
    ]


def _about_boxes(outcome: Outcome) -> list[str]:
    found = []
    if len(outcome.boxes) < ENOUGH:
        found.append(f"the volume was measured on only {len(outcome.boxes)} boxes: widen point_cloud_range by hand")
    for name in outcome.classes:
        count = int((outcome.names == name).sum())
        if count < FEW:
            boxes = "box" if count == 1 else "boxes"
            found.append(f"class {name} has {count} labelled {boxes} alone: set the size of its anchor by hand")
    beyond = _outside_by_frame(outcome)
    if beyond:
        named = ", ".join(list(beyond)[:SHOWN]) + (", ..." if len(beyond) > SHOWN else "")
        total = sum(beyond.values())
        found.append(f"{total} labelled boxes lie outside the volume and are not trained on, in frames {named}")
    return found


def _outside_by_frame(outcome: Outcome) -> dict[str, int]:
    """Frame id -> number of its boxes outside the volume, for the frames that have some."""
    data = outcome.settings["data"]
    counts = {}
    for frame_id, (boxes, names) in outcome.findings.labels.items():
        own = apply_readings(boxes[np.isin(names, outcome.classes)], data["label_reading"])
        counts[frame_id] = int(outside(own, data["point_cloud_range"]).sum())
    return {frame_id: count for frame_id, count in counts.items() if count}


def _about_lists(outcome: Outcome) -> list[str]:
    lists, clouds = outcome.findings.lists, outcome.findings.clouds
    if "val" not in lists:
        return ["there is no ImageSets/val.txt: training needs the ids of labelled frames to validate on, one a line"]
    found = []
    blind = [frame_id for frame_id in lists["val"] if frame_id not in outcome.findings.labels]
    if not lists["val"]:
        found.append("ImageSets/val.txt is empty")
    if blind:
        found.append(f"{len(blind)} frames of ImageSets/val.txt are not labelled, such as {blind[0]}")
    if "train" in lists and POOL not in lists:
        others = set(clouds).difference(*lists.values())
        if others:
            found.append(f"{len(others)} frames are in no list: they are pool; ImageSets/{POOL}.txt can list it")
    shared = set(lists.get("train", [])) & set(lists["val"])
    if shared:
        found.append(f"{len(shared)} frames are both in train.txt and in val.txt, such as {min(shared)}")
    return found
