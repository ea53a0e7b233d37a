"""Average precision of boxes in space and from above: for any data set that has labelled boxes, and no camera."""

from kecor.evaluation.boxes.metric import BoxesMetric

__all__ = ["BoxesMetric"]
