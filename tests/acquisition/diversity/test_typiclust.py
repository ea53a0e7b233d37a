"""TypiClust on blobs whose largest uncovered one and most typical frame are known."""

import numpy as np
import pytest

from kecor.acquisition import TypiClust, validate_selection
from kecor.acquisition.diversity import clusters as module
from kecor.errors import ConfigError, SelectionError
from kecor.structures import Budget, FrameSet
from tests.acquisition.diversity.test_coreset import points
from tests.acquisition.worlds import detections

SIZES = (40, 30, 20, 10)
RNG = np.random.default_rng(0)
BLOB = np.repeat(np.arange(4), SIZES)
WHERE = np.eye(4)[BLOB] * 100 + RNG.normal(size=(100, 4))
KNOWN = np.eye(4)[[0, 0]] * 100 + RNG.normal(size=(2, 4))
POOL, LABELLED = points(WHERE), points(KNOWN, "l")


def select(pool=POOL, labelled=LABELLED, amount=3, seed=0, **options):
    selection = TypiClust(**{"max_clusters": 4, **options}).select(
        pool, labelled, Budget(amount), np.random.default_rng(seed)
    )
    validate_selection(selection, pool, Budget(amount), "typiclust")
    return selection


def typicality(blob, neighbours):
    """Of the pool's frames in a blob: over all frames of the blob, labelled ones too, in double precision."""
    everyone = np.concatenate([KNOWN[:0] if blob else KNOWN, WHERE[blob == BLOB]]).astype(np.float32).astype(np.float64)
    apart = np.sort(np.linalg.norm(everyone[:, None] - everyone, axis=2), 1)
    return 1 / apart[:, 1 : 1 + min(neighbours, len(everyone) - 1)].mean(1)[0 if blob else 2 :]


@pytest.mark.parametrize("neighbours", [1, 3, 20])
def test_the_most_typical_frame_of_the_largest_uncovered_cluster_comes_first(neighbours, monkeypatch):
    monkeypatch.setattr(module, "PAIRS", 150)
    selection = select(amount=5, neighbours=neighbours)
    assert BLOB[selection.indices].tolist() == [
        1,
        2,
        3,
        1,
        2,
    ]  # the blob 0 has two labelled frames, the others one pick
    assert selection.info == {"clusters": 4}
    for pick, gain in zip(selection.indices[:3], selection.gains):
        expected = typicality(BLOB[pick], neighbours)
        assert pick == np.flatnonzero(BLOB[pick] == BLOB)[expected.argmax()]
        assert gain == pytest.approx(expected.max(), rel=1e-4)
    second = np.sort(typicality(1, neighbours))[-2]
    assert selection.gains[3] == pytest.approx(second, rel=1e-4)


def test_there_are_as_many_clusters_as_labelled_frames_and_picks():
    assert select(amount=6, max_clusters=500).info == {"clusters": 8}
    assert select(amount=6, max_clusters=7).info == {"clusters": 7}
    priced = points(WHERE)
    priced.detections = [detections(RNG, 4) for _ in range(100)]
    selection = TypiClust().select(priced, LABELLED, Budget(24, 0, 1), np.random.default_rng(0))
    assert selection.info == {"clusters": 8}
    assert len(selection.indices) == 6


def test_small_clusters_are_left_to_the_end():
    outlier = np.concatenate([WHERE, np.full((5, 4), -300) + RNG.normal(size=(5, 4))])
    selection = select(points(outlier), amount=105, max_clusters=5)
    assert set(selection.indices[-5:].tolist()) == set(range(100, 105))
    assert 100 <= select(points(outlier), amount=4, max_clusters=5, small=4).indices[3] < 105


def test_copies_come_last_and_do_not_hide_what_they_copy():
    everything = np.concatenate([WHERE, WHERE[BLOB == 3], KNOWN])
    selection = select(points(everything), amount=112)
    assert set(selection.indices[-12:].tolist()) == {*range(100, 112)}
    assert (selection.gains[-12:] == 0).all()
    assert (selection.gains[:-12] > 0).all()


def test_frames_without_rois_come_last_and_no_labelled_frames_are_fine():
    pool = points(WHERE)
    pool.feats["roi_mask"][[0, 50]] = False
    assert select(pool, amount=100).indices[-2:].tolist() == [0, 50]
    assert BLOB[select(labelled=FrameSet([]), amount=4).indices].tolist() == [0, 1, 2, 3]
    pool.feats["roi_mask"][:] = False
    assert select(pool, amount=3).indices.tolist() == [0, 1, 2]


def test_frames_alone_have_no_typicality():
    selection = select(points([[0.0], [50.0]]), points([[100.0]], "l"), amount=2, max_clusters=9)
    assert selection.gains.tolist() == [0, 0]


def test_what_cannot_be_is_an_error():
    assert TypiClust("embedding").needs == {"embedding"}
    with pytest.raises(ConfigError, match=r"acquisition\.max_clusters: got 0; expected an integer of at least 1"):
        TypiClust(max_clusters=0)
    with pytest.raises(SelectionError, match="typiclust: the frames carry no 'embedding'"):
        select(FrameSet(["a"]), feature="embedding")
