import numpy as np
import pytest

from kecor.structures import Budget, Detections, FrameSet, as_boxes, wrap_angle


def test_wrap_angle_covers_the_half_open_interval():
    angles = np.array([0.0, np.pi, -np.pi, 3 * np.pi, 7.0, -7.0])
    wrapped = wrap_angle(angles)
    assert ((wrapped >= -np.pi) & (wrapped < np.pi)).all()
    np.testing.assert_allclose(np.cos(wrapped), np.cos(angles), atol=1e-12)
    np.testing.assert_allclose(np.sin(wrapped), np.sin(angles), atol=1e-12)


def test_as_boxes_wraps_headings_and_leaves_its_input_alone():
    given = np.array([[1, 2, 3, 4, 2, 1.5, 4.0]])
    boxes = as_boxes(given)
    assert boxes.dtype == np.float32
    assert boxes[0, 6] == pytest.approx(4.0 - 2 * np.pi, abs=1e-6)
    assert given[0, 6] == 4.0


@pytest.mark.parametrize(
    "bad", [np.ones((2, 6)), [[0, 0, 0, 1, 0, 1, 0]], [[np.nan, 0, 0, 1, 1, 1, 0]]], ids=["shape", "size", "nan"]
)
def test_as_boxes_names_what_is_wrong(bad):
    with pytest.raises(ValueError, match="pool boxes"):
        as_boxes(bad, "pool boxes")


def test_frame_set_refuses_duplicates_and_wrong_lengths():
    with pytest.raises(ValueError, match="'b' is not unique"):
        FrameSet(ids=["a", "b", "b"])
    with pytest.raises(ValueError, match="embedding: 3 rows for 2 frames"):
        FrameSet(ids=["a", "b"], feats={"embedding": np.zeros((3, 4))})
    with pytest.raises(ValueError, match="detections: 1 for 2 frames"):
        FrameSet(ids=["a", "b"], detections=[Detections(np.zeros((0, 7)), np.zeros(0), np.zeros(0))])


def test_frame_set_counts_boxes():
    one, three = (Detections(np.zeros((n, 7)), np.zeros(n), np.zeros(n, int)) for n in (1, 3))
    assert FrameSet(ids=["a", "b"], detections=[one, three]).n_boxes().tolist() == [1, 3]
    assert FrameSet(ids=["a", "b"]).n_boxes().tolist() == [0, 0]


def test_budget_charges_frames_and_boxes():
    assert Budget(10, cost_frame=1, cost_box=0.5).costs(np.array([0, 4])).tolist() == [1.0, 3.0]
    assert Budget(10, cost_frame=0, cost_box=1).costs(np.array([0, 4])).tolist() == [1.0, 4.0]
    with pytest.raises(ValueError, match="negative"):
        Budget(-1)
    with pytest.raises(ValueError, match="above zero"):
        Budget(10, cost_frame=0)
