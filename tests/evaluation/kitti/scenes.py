"""Hand-made and random KITTI objects."""

import numpy as np

from kecor.datasets.kitti.labels import KittiObjects

SIZES = {
    "Car": (1.5, 1.6, 3.9),
    "Van": (2.2, 1.9, 5.0),
    "Tram": (3.5, 2.5, 15.0),
    "Pedestrian": (1.7, 0.6, 0.8),
    "Person_sitting": (1.3, 0.6, 0.8),
    "Cyclist": (1.7, 0.6, 1.8),
    "DontCare": (-1.0, -1.0, -1.0),
}


def objects(*rows: dict) -> KittiObjects:
    """Objects from dictionaries; what a row leaves out is that of an easy, unturned car 20 m ahead."""
    names, values = [], []
    for row in rows:
        name = row.get("name", "Car")
        region = name == "DontCare"
        names.append(name)
        values.append(
            [
                row.get("truncated", -1 if region else 0),
                row.get("occluded", -1 if region else 0),
                row.get("alpha", -10 if region else 0),
                *row.get("bbox", (100, 100, 200, 180)),
                *row.get("dimensions", SIZES[name]),
                *row.get("location", (-1000, -1000, -1000) if region else (0, 1.7, 20)),
                row.get("rotation_y", -10 if region else 0),
                row.get("score", 0),
            ]
        )
    return KittiObjects.from_rows(names, np.array(values))


def random_frame(rng: np.random.Generator) -> tuple[KittiObjects, KittiObjects]:
    """Ground truth of every kind and detections of it: good, bad, missing, doubled and of the wrong class."""
    gt, det = [], []
    for _ in range(rng.integers(0, 7)):
        name = str(rng.choice(list(SIZES)))
        left, top = rng.uniform(0, 1000), rng.uniform(100, 200)
        height = rng.uniform(20, 90)
        row = {"name": name, "bbox": (left, top, left + rng.uniform(20, 120), top + height)}
        if name != "DontCare":
            row["truncated"] = rng.choice([0.0, 0.1, 0.25, 0.4, 0.8])
            row["occluded"] = rng.choice([0, 0, 0, 1, 2, 3])
            row["alpha"], row["rotation_y"] = rng.uniform(-np.pi, np.pi, 2)
            row["location"] = (rng.uniform(-10, 10), 1.7, rng.uniform(5, 40))
        gt.append(row)
        for _ in range(rng.choice([0, 1, 1, 1, 2])):
            noise = rng.choice([0.1, 0.5, 2.0])
            found = {
                "name": name if rng.uniform() < 0.85 else "Car",
                "bbox": np.add(row["bbox"], rng.normal(0, 4 * noise, 4)),
                "alpha": row.get("alpha", 0) + rng.normal(0, noise),
                "dimensions": np.abs(SIZES[name]) * rng.uniform(0.9, 1.1, 3),
                "location": np.add(row.get("location", (0, 1, 20)), rng.normal(0, 0.2 * noise, 3)),
                "rotation_y": row.get("rotation_y", 0) + rng.normal(0, 0.2 * noise),
                "score": round(rng.uniform(0, 1), 2),
            }
            if found["name"] == "DontCare":
                found["name"] = "Cyclist"
            det.append(found)
    return objects(*gt), objects(*det)
