"""Random scenes of labelled boxes, detections of them, and a data set that gives the labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from kecor.structures import Detections

CLASSES = ["Car", "Walker"]
SIZES = {"Car": (4.2, 1.8, 1.6), "Walker": (0.8, 0.7, 1.7)}


class Labelled:
    """A data set of labels alone."""

    root, split, n_features, metric = Path(), "val", 4, "boxes"

    def __init__(self, labels: dict[str, tuple[np.ndarray, np.ndarray]], pool: tuple[str, ...] = ()) -> None:
        self.labels, self.classes = labels, CLASSES
        self.ids = [*labels, *pool]

    def read_labels(self, frame_id):
        return self.labels[frame_id]

    def is_labelled(self, frame_id):
        return frame_id in self.labels


def random_boxes(rng, n, name):
    place = np.column_stack([rng.uniform(-70, 70, n), rng.uniform(-70, 70, n), rng.uniform(-1, 0, n)])
    size = SIZES[name] * rng.uniform(0.9, 1.1, (n, 3))
    return np.column_stack([place, size, rng.uniform(-np.pi, np.pi, n)])


def random_scene(rng):
    """Labels of a frame, and detections: good, bad, doubled, missing, of the wrong class, some scores equal."""
    boxes, names, found, labels = [], [], [], []
    for label, name in enumerate(CLASSES):
        own = random_boxes(rng, rng.integers(0, 6), name)
        boxes += [*own]
        names += [name] * len(own)
        for box in own:
            for _ in range(rng.choice([0, 1, 1, 2, 3])):
                noise = rng.choice([0.02, 0.1, 0.4])
                found.append(box + rng.normal(0, noise, 7) * [1, 1, 0.5, 0.3, 0.3, 0.3, 0.3])
                labels.append(label if rng.uniform() < 0.9 else 1 - label)
        for box in random_boxes(rng, rng.integers(0, 3), name):
            found.append(box)
            labels.append(label)
    scores = np.round(rng.uniform(0, 1, len(found)), 1)
    detections = Detections(np.array(found).reshape(-1, 7), scores, np.array(labels, np.int64))
    return (np.array(boxes, np.float32).reshape(-1, 7), np.array(names, dtype="<U8")), detections
