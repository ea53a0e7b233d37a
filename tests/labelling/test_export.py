"""What annotators get: clouds, ids, class list, and nothing half done."""

import numpy as np
import pytest

from kecor.errors import ConfigError, DataError
from kecor.labelling.export import export_frames
from kecor.labelling.pcd import write_pcd
from kecor.structures import Frame
from tests.labelling.cases import CLASSES, frames, labelled, world

CLOUDS = {
    "labelcloud": "pointclouds",
    "sly_pointcloud": "ds0/pointcloud",
    "datumaro": "point_clouds/default",
    "openpcdet_custom": "points",
}


@pytest.mark.parametrize("name", CLOUDS)
def test_an_export_holds_clouds_ids_classes_and_a_readme(tmp_path, name):
    before = world()
    done = export_frames(tmp_path / "out", name, frames(before), before, CLASSES)
    assert (done.frames, done.boxes, done.dropped_points) == (3, 4, 0)
    names = sorted(path.name for path in (tmp_path / "out" / CLOUDS[name]).iterdir())
    assert names == ["000003.pcd", "scene_1__000003.pcd", "scene_2__000003.pcd"]
    assert (tmp_path / "out" / "ids.txt").read_text().split() == list(before)
    assert (tmp_path / "out" / "classes.txt").read_text().split() == CLASSES
    readme = (tmp_path / "out" / "README.txt").read_text()
    assert "3 frames to label, 4 boxes" in readme
    assert ", ".join(CLASSES) in readme


def test_the_same_export_has_the_same_bytes(tmp_path):
    before = world()
    for name in ("one", "two"):
        export_frames(tmp_path / name, "sly_pointcloud", frames(before), before, CLASSES)
    files = sorted(path.relative_to(tmp_path / "one") for path in (tmp_path / "one").rglob("*") if path.is_file())
    assert files
    assert all((tmp_path / "one" / path).read_bytes() == (tmp_path / "two" / path).read_bytes() for path in files)


def test_an_interrupted_export_leaves_nothing_and_can_be_repeated(tmp_path):
    before = world()

    def interrupted():
        yield from list(frames(before))[:2]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_frames(tmp_path / "out", "labelcloud", interrupted(), before, CLASSES)
    assert not list(tmp_path.iterdir())
    (tmp_path / ".out.tmp").mkdir()  # what a killed process leaves
    (tmp_path / ".out.tmp" / "stale").write_text("")
    export_frames(tmp_path / "out", "labelcloud", frames(before), before, CLASSES)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert not (tmp_path / "out" / "stale").exists()


def test_a_folder_in_use_is_not_touched(tmp_path):
    (tmp_path / "work").write_text("mine")
    with pytest.raises(DataError, match="is in use"):
        export_frames(tmp_path, "labelcloud", frames(["a"]), {}, CLASSES)
    assert [path.name for path in tmp_path.iterdir()] == ["work"]


@pytest.mark.parametrize(
    ("ids", "prelabels", "classes", "message"),
    [
        (["a/b", "a__b"], {}, CLASSES, "would both be called 'a__b'"),
        (["a", "a"], {}, CLASSES, "would both be called 'a'"),
        (["../a"], {}, CLASSES, "is no frame id"),
        ([], {}, CLASSES, "no frames to export"),
        (["a"], {"b": labelled()}, CLASSES, "frame b is not exported"),
        (["a"], {"a": labelled(("Bus", 1, 1, 1, 1, 1, 1, 0))}, CLASSES, "frame a: class 'Bus' is not one of Car"),
        (["a"], {}, [], "name at least one"),
        (["a"], {}, ["Car", "Car"], "each once"),
    ],
)
def test_wrong_input_is_named_and_nothing_written(tmp_path, ids, prelabels, classes, message):
    with pytest.raises((DataError, ConfigError), match=message):
        export_frames(tmp_path / "out", "datumaro", frames(ids), prelabels, classes)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("name", "variant"), [("labelcloud", "kitti_untransformed"), ("openpcdet_custom", None)])
def test_a_class_with_a_blank_does_not_fit_into_lines(tmp_path, name, variant):
    before = {"a": labelled(("Traffic cone", 1, 1, 1, 1, 1, 1, 0))}
    options = {"variant": variant} if variant else {}
    with pytest.raises(DataError, match="'Traffic cone'"):
        export_frames(tmp_path / "out", name, frames(before), before, ["Traffic cone"], options)


def test_only_formats_and_variants_that_are_written(tmp_path):
    with pytest.raises(ConfigError, match="use one of labelcloud, datumaro, sly_pointcloud, openpcdet_custom"):
        export_frames(tmp_path / "out", "xtreme1", frames(["a"]), {}, CLASSES)
    with pytest.raises(ConfigError, match="only centroid_rel and kitti_untransformed"):
        export_frames(tmp_path / "out", "labelcloud", frames(["a"]), {}, CLASSES, {"variant": "kitti"})


@pytest.mark.parametrize("intensity", [True, False])
def test_open3d_reads_the_clouds(tmp_path, intensity):
    o3d = pytest.importorskip("open3d")
    points = np.random.default_rng(0).normal(size=(100, 5)).astype(np.float32)
    points[3, 1], points[7, 3] = np.nan, np.inf
    dropped = write_pcd(tmp_path / "a.pcd", points, intensity)
    kept = np.delete(points, [3, 7] if intensity else [3], axis=0)
    cloud = o3d.t.io.read_point_cloud(str(tmp_path / "a.pcd"))
    np.testing.assert_array_equal(cloud.point.positions.numpy(), kept[:, :3])
    assert dropped == len(points) - len(kept)
    assert ("intensity" in cloud.point) is intensity
    if intensity:
        np.testing.assert_array_equal(cloud.point.intensity.numpy()[:, 0], kept[:, 3])


def test_clouds_of_three_columns_and_none(tmp_path):
    write_pcd(tmp_path / "a.pcd", np.zeros((0, 3)))
    assert b"FIELDS x y z\n" in (tmp_path / "a.pcd").read_bytes()
    with pytest.raises(DataError, match=r"shape \(4, 2\)"):
        write_pcd(tmp_path / "b.pcd", np.zeros((4, 2)))


def test_frames_are_read_one_at_a_time(tmp_path):
    alive = []

    def stream():
        for i in range(5):
            assert len(list((tmp_path / ".out.tmp").rglob("*.pcd"))) == i
            alive.append(i)
            yield Frame(str(i), np.zeros((1, 4), np.float32))

    export_frames(tmp_path / "out", "labelcloud", stream(), {}, CLASSES)
    assert alive == list(range(5))
