"""Whole data sets: the same bytes every time, real layouts replayed, interrupted runs resumed."""

from dataclasses import replace

import numpy as np
import pytest

from kecor.datasets.kitti.calibration import format_calibration
from kecor.datasets.kitti.dataset import KittiDataset
from kecor.datasets.kitti.labels import format_objects, read_objects
from kecor.errors import DataError
from kecor.ops import count_points_in_boxes, iou_bev
from kecor.simulation import write_dataset
from kecor.simulation.frames import CALIBRATION, simulate
from kecor.simulation.realism import count, draw, table
from tests.shared import shared_data

GROWN = np.array([0, 0, 0, 0.1, 0.1, 0.1, 0])
CLASSES = ["Car", "Pedestrian", "Cyclist", "Van", "Truck", "Misc"]


def contents(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("simulated") / "set"
    return out, write_dataset(out, 12, seed=5, progress=False, workers=1)


@pytest.fixture
def layouts(tmp_path):
    """Two frames of simulated labels, with a few lines only real files have, as a layout folder of another camera."""
    calib = replace(CALIBRATION, v2c=CALIBRATION.v2c + np.diag([0.01, 0.005, 0.0]) @ np.eye(3, 4))
    for folder in ("label_2", "calib"):
        (tmp_path / "training" / folder).mkdir(parents=True)
    lines = [
        "Car 0.00 0 -1.57 0 0 50 50 1.50 1.60 3.90 2.0 1.70 15.0 -1.44\n"
        "Misc 0.00 3 -1.57 0 0 50 50 1.90 1.50 3.60 -4.0 1.75 22.0 0.30\n"
        "DontCare -1 -1 -10 500 170 520 190 -1 -1 -1 -1000 -1000 -1000 -10\n",
        "Tram 0.90 0 -1.57 0 0 50 50 3.50 2.50 16.0 9.0 2.10 14.0 1.50\n"
        "Pedestrian 0.00 0 -1.57 0 0 50 50 1.80 0.60 0.80 -2.0 1.60 9.0 2.00\n"
        "Car 0.00 2 -1.57 0 0 50 50 1.50 1.60 3.90 -2.4 1.60 88.0 -1.44\n",
    ]
    for i, text in enumerate(lines):
        (tmp_path / "training" / "label_2" / f"00007{i}.txt").write_text(text)
        (tmp_path / "training" / "calib" / f"00007{i}.txt").write_text(format_calibration(calib))
    (tmp_path / "image_sizes.csv").write_text("frame,width,height\n000070,1224,370\n")
    return tmp_path / "training" / "label_2"


def test_the_set_is_read_as_kitti(made):
    out, summary = made
    dataset = KittiDataset(out, "trainval", CLASSES)
    assert summary["frames"] == summary["simulated"] == len(dataset) == 12
    val, train = (KittiDataset(out, split, CLASSES).ids for split in ("val", "train"))
    assert len(val) == 3
    assert sorted(val + train) == dataset.ids
    total = 0
    for frame_id in dataset.ids:
        frame = dataset.read(frame_id)
        assert 13_000 < len(frame.points) < 21_000
        assert np.array_equal(
            frame.points, KittiDataset(out, "trainval", CLASSES, camera_view=False).read(frame_id).points
        )
        assert (count_points_in_boxes(frame.points, frame.boxes + GROWN) >= 2).all()
        overlap = iou_bev(frame.boxes, frame.boxes)
        assert (overlap[~np.eye(len(overlap), dtype=bool)] == 0).all()
        total += len(frame.boxes)
    assert total == sum(n for name, n in summary["objects"].items() if name != "DontCare")


def test_the_same_seed_gives_the_same_bytes_whatever_the_workers(made, tmp_path):
    out, _ = made
    write_dataset(tmp_path / "two", 12, seed=5, progress=False, workers=2)
    assert contents(tmp_path / "two") == contents(out)


def test_a_frame_depends_on_its_seed_and_index_alone(made):
    out, _ = made
    points = simulate(5, 7).points
    assert (out / "training/velodyne/000007.bin").read_bytes() == points.tobytes()
    assert not np.array_equal(simulate(6, 7).points[:100], points[:100])


def test_an_interrupted_run_goes_on_and_gives_the_same_bytes(made, tmp_path):
    out, _ = made
    whole = tmp_path / "again"
    write_dataset(whole, 12, seed=5, progress=False, workers=1)
    (whole / "training/label_2/000003.txt").unlink()
    (whole / "training/velodyne/000003.bin").write_bytes(b"half")
    (whole / "ImageSets/val.txt").unlink()
    summary = write_dataset(whole, 12, seed=5, progress=False, workers=1)
    assert summary["simulated"] == 1
    assert contents(whole) == contents(out)


def test_another_simulation_or_foreign_files_are_refused(made, tmp_path):
    out, _ = made
    before = contents(out)
    with pytest.raises(DataError, match=r"differs in seed.*another folder"):
        write_dataset(out, 12, seed=6, progress=False)
    assert contents(out) == before
    (tmp_path / "mine.txt").write_text("precious")
    with pytest.raises(DataError, match="no simulated data set"):
        write_dataset(tmp_path, 2, progress=False)
    with pytest.raises(DataError, match="val_fraction"):
        write_dataset(tmp_path / "new", 2, val_fraction=1.5, progress=False)


def test_replay_keeps_boxes_names_and_regions(layouts, tmp_path):
    out = tmp_path / "out"
    write_dataset(out, 2, seed=1, layouts=layouts, progress=False, workers=1)
    mapping = dict(line.split() for line in (out / "layout_ids.txt").read_text().splitlines())
    assert sorted(mapping.values()) == ["000070", "000071"]
    for new, old in mapping.items():
        real, written = read_objects(layouts / f"{old}.txt"), read_objects(out / f"training/label_2/{new}.txt")
        assert written.names.tolist() == real.names.tolist()
        np.testing.assert_allclose(written.location, real.location, atol=1e-2)
        np.testing.assert_allclose(written.dimensions, real.dimensions, atol=1e-2)
        np.testing.assert_allclose(written.rotation_y, real.rotation_y, atol=1e-2)
        regions = real.names == "DontCare"
        assert format_objects(written.take(regions)) == format_objects(real.take(regions))
        dataset = KittiDataset(out, "trainval", ["Car", "Misc", "Tram", "Pedestrian"])
        assert dataset.image_size(new) == ((1224, 370) if old == "000070" else (1242, 375))
        frame = dataset.read(new)
        near = np.hypot(frame.boxes[:, 0], frame.boxes[:, 1]) < 30
        assert (count_points_in_boxes(frame.points, frame.boxes)[near] > 50).all()
    new = next(n for n, old in mapping.items() if old == "000071")
    far = read_objects(out / f"training/label_2/{new}.txt")
    assert far.occluded[far.names == "Car"].tolist() == [3]  # beyond the sensor's range


def test_faulty_layout_folders_are_named(layouts, tmp_path):
    with pytest.raises(DataError, match="contains 2 label files, but --frames asks for 3"):
        write_dataset(tmp_path / "a", 3, layouts=layouts, progress=False)
    with pytest.raises(DataError, match="no such folder"):
        write_dataset(tmp_path / "a", 1, layouts=tmp_path / "nowhere", progress=False)
    (layouts.parent / "calib").rename(layouts.parent / "elsewhere")
    with pytest.raises(DataError, match=r"training/calib: no such folder.*calib folder beside"):
        write_dataset(tmp_path / "a", 1, layouts=layouts, progress=False)


def test_a_full_sweep_holds_the_sector_behind():
    points = simulate(5, 1, full_sweep=True).points
    azimuth = np.arctan2(points[:, 1], points[:, 0])
    assert len(points) > 80_000
    assert (np.histogram(azimuth, bins=12, range=(-np.pi, np.pi))[0] > 2000).all()


def test_frames_differ_in_what_they_hold():
    boxes = [np.sum(simulate(0, i).objects.names != "DontCare") for i in range(24)]
    assert min(boxes) <= 1
    assert max(boxes) >= 6


def test_the_comparison_has_a_row_a_number_and_a_picture(made, tmp_path):
    dataset = KittiDataset(made[0], "trainval", CLASSES)
    frames = [dataset.read(i) for i in dataset.ids]
    counts = count(frames)
    assert f"| {len(counts.points)} | {len(counts.points)} |" in table({"real": counts, "simulated": counts})
    draw(frames[0], frames[1], {"real": counts}, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes()[:4] == b"\x89PNG"


def test_points_in_replayed_real_cars_are_about_as_many(tmp_path):
    """Clear cars of real frames, replayed: as many points in sum as the real sensor got, within a quarter."""
    root = shared_data("kitti_mini")
    write_dataset(tmp_path / "r", 40, seed=0, layouts=root / "training" / "label_2", progress=False, workers=1)
    mapping = dict(line.split() for line in (tmp_path / "r/layout_ids.txt").read_text().splitlines())
    real, replayed = KittiDataset(root, "trainval", ["Car"]), KittiDataset(tmp_path / "r", "trainval", ["Car"])
    ours = theirs = 0
    for new, old in mapping.items():
        truth, frame = real.read(old), replayed.read(new)
        clear = (truth.meta["occluded"] == 0) & (truth.meta["truncated"] < 0.1)
        theirs += count_points_in_boxes(truth.points, truth.boxes[clear]).sum()
        ours += count_points_in_boxes(frame.points, frame.boxes[clear]).sum()
    assert theirs > 2000
    assert 0.75 < ours / theirs < 1.25
