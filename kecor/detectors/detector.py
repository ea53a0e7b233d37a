"""What every detector shares: named stages run in order over a dict, and the answers read off at the end."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from mmengine.model import BaseModel
from torch import Tensor
from torch.nn.modules.batchnorm import _NormBase

from kecor import ops
from kecor.config import DataConfig
from kecor.detectors.dropout_passes import DropoutPasses
from kecor.detectors.grid import Grid
from kecor.detectors.post_processing import to_numpy
from kecor.errors import ConfigError, KecorError
from kecor.structures import Detections, FrameOutputs


@dataclass
class Proposals:
    """Boxes of one frame, best first: ``boxes`` (K, 7), ``scores`` (K,), ``labels`` (K,), ``logits`` (K, classes),
    ``anchors`` (K,), the anchor each comes from, and ``velocities`` (K, 2) where they are predicted."""

    boxes: Tensor
    scores: Tensor
    labels: Tensor
    logits: Tensor
    anchors: Tensor
    velocities: Tensor | None = None

    def take(self, index: Tensor) -> Proposals:
        """The boxes ``index`` (L,), in that order."""
        columns = {f.name: getattr(self, f.name) for f in fields(self)}
        return replace(self, **{name: column[index] for name, column in columns.items() if column is not None})


class Detector(BaseModel):
    """A list of named stages, each a module that takes the batch as a dict and returns it with its results added.

    A batch holds ``batch_size``, ``frame_ids``, ``voxel_features`` (V, C), ``voxel_coords`` (V, 4) batch, z, y, x,
    ``points`` (P, 1 + C) with the batch index first, ``gt_boxes`` and ``gt_labels`` (a list of one tensor a frame), and
    ``gt_velocities`` where the data set has them. The
    data preprocessor of mmengine's BaseModel brings its tensors to the model's device.

    Attributes:
        stages: names of the stages, in order; each is an attribute.
        roi_feature_channels: width of the ``roi_features`` of :meth:`describe`, and of its ``embedding``.
        global_step: training batches seen; part of the state, as in OpenPCDet's checkpoints.
    """

    stages: tuple[str, ...] = ()
    roi_feature_channels: int
    global_step: Tensor

    def __init__(self, data: DataConfig):
        super().__init__()
        self.classes = list(data.classes)
        self.grid = Grid.from_config(data)
        self.register_buffer("global_step", torch.zeros(1, dtype=torch.long))

    def forward(self, mode: str = "tensor", **batch: Any) -> dict | list[Detections]:
        """``"loss"``: the losses by name; ``"predict"``: the detections of each frame, without gradient; ``"tensor"``:
        the batch with the results of all stages."""
        if mode == "predict":
            with torch.no_grad():
                return self.detections(self.run_stages(batch))
        if mode == "loss":
            if self.training:
                self.global_step += 1
            return self.loss(self.run_stages(batch))
        if mode == "tensor":
            return self.run_stages(batch)
        raise ValueError(f"mode {mode!r} is none of loss, predict, tensor")

    def set_norm_momentum(self, momentum: float) -> None:
        """Set the momentum of every batch normalisation.

        Raises:
            ConfigError: it is not in (0, 1].
        """
        if not 0 < momentum <= 1:
            raise ConfigError(f"detector.norm_momentum: {momentum} is not above 0 and at most 1")
        for layer in self.modules():
            if isinstance(layer, _NormBase):
                layer.momentum = momentum

    def run_stages(self, batch: dict) -> dict:
        """The batch with the results of all stages added."""
        for name in self.stages:
            batch = getattr(self, name)(batch)
        return batch

    @abstractmethod
    def loss(self, data: dict) -> dict[str, Tensor]:
        """Losses of a batch that went through all stages."""

    @abstractmethod
    def final_boxes(self, data: dict, frame: int) -> Proposals:
        """What the detector says of one frame of the batch, after suppression."""

    @abstractmethod
    def regions(self, data: dict, frame: int, n_rois: int) -> tuple[Proposals, Tensor]:
        """At most ``n_rois`` regions of interest of one frame, and their (R, roi_feature_channels) features."""

    @abstractmethod
    def embedding(self, data: dict) -> Tensor:
        """(N, D) one feature vector of each frame of the batch."""

    def passes(
        self, data: dict, frame: int, rois: Proposals, features: Tensor, dropout: DropoutPasses
    ) -> tuple[Tensor, Tensor]:
        """What thinned heads say of the regions of one frame and their features, both as :meth:`regions` gave them.

        Returns:
            (R, P, classes) class logits and (R, P, 7) boxes of each region in each of the P passes.

        Raises:
            KecorError: the detector has no dropout passes.
        """
        raise KecorError(f"{type(self).__name__} has no dropout passes: choose a method that does not need them")

    def detections(self, data: dict) -> list[Detections]:
        """The detections of each frame of a batch that went through all stages.

        Raises:
            KecorError: predictions that are not finite.
        """
        clouds = _split_points(data["points"], data["batch_size"])
        found = []
        for frame, cloud in enumerate(clouds):
            self._check_finite(data, frame)
            kept = self.final_boxes(data, frame)
            boxes = to_numpy(kept.boxes)
            found.append(
                Detections(
                    boxes=boxes,
                    scores=to_numpy(kept.scores),
                    labels=to_numpy(kept.labels),
                    logits=to_numpy(kept.logits),
                    n_points=ops.count_points_in_boxes(cloud, boxes),
                    velocities=None if kept.velocities is None else to_numpy(kept.velocities),
                )
            )
        return found

    @torch.no_grad()
    def describe(self, batch: dict, n_rois: int, dropout: DropoutPasses | None = None) -> list[FrameOutputs]:
        """Detections, regions of interest with features, and an embedding of each frame of a collated batch; with
        ``dropout`` also what its passes say of the regions.

        Raises:
            RuntimeError: the detector is in training mode, where a query would move BatchNorm's statistics.
            KecorError: predictions that are not finite; or the detector has no dropout passes.
        """
        if self.training:
            raise RuntimeError("describe() needs the detector in eval mode; call detector.eval() first")
        data = self.run_stages(self.data_preprocessor(batch, False))
        embeddings = to_numpy(self.embedding(data))
        outputs = []
        for frame, detections in enumerate(self.detections(data)):
            rois, features = self.regions(data, frame, n_rois)
            pass_logits = pass_boxes = None
            if dropout is not None:
                pass_logits, pass_boxes = map(to_numpy, self.passes(data, frame, rois, features, dropout))
            outputs.append(
                FrameOutputs(
                    detections=detections,
                    roi_boxes=to_numpy(rois.boxes),
                    roi_features=to_numpy(features),
                    roi_scores=to_numpy(rois.scores),
                    roi_labels=to_numpy(rois.labels),
                    roi_logits=to_numpy(rois.logits),
                    embedding=embeddings[frame],
                    pass_logits=pass_logits,
                    pass_boxes=pass_boxes,
                )
            )
        return outputs

    @staticmethod
    def _check_finite(data: dict, frame: int) -> None:
        if not (data["cls_preds"][frame].isfinite().all() and data["box_preds"][frame].isfinite().all()):
            raise KecorError(
                f"frame {data['frame_ids'][frame]}: the detector's predictions are not finite; training has diverged, "
                "lower schedule.lr or schedule.grad_clip"
            )


def _split_points(points: Tensor, batch_size: int) -> list[np.ndarray]:
    """The (P_i, 3) x, y, z of each frame from (P, 1 + C) points with the batch index first."""
    array = to_numpy(points)
    return [array[array[:, 0] == frame, 1:4] for frame in range(batch_size)]
