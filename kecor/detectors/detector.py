"""Base class of all detectors: named stages that run in order over a batch, and the outputs read from it."""

from __future__ import annotations

from abc import abstractmethod
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
from kecor.detectors.proposals import Proposals
from kecor.detectors.purpose import purpose_of
from kecor.errors import ConfigError, KecorError
from kecor.structures import Detections, FrameOutputs


class Detector(BaseModel):
    """A list of named stages. Each is a module that takes the batch as a dict and returns it with its results added.

    A batch holds ``batch_size``, ``frame_ids``, ``voxel_features`` (V, C), ``voxel_coords`` (V, 4) as batch index, z,
    y, x, ``points`` (P, 1 + C) with the batch index first, and ``gt_boxes`` and ``gt_labels``, lists with one tensor
    per frame. Data sets with velocities add ``gt_velocities``. The data preprocessor of mmengine's BaseModel moves the
    tensors to the model's device.

    Attributes:
        stages: names of the stages, in order; each is an attribute.
        purpose: what the detector is made for (:mod:`kecor.detectors.purpose`); stored with its weights.
        roi_feature_channels: width of the ``roi_features`` and the ``embedding`` that :meth:`describe` returns.
        global_step: number of training batches so far; saved with the weights, as in OpenPCDet's checkpoints.
    """

    stages: tuple[str, ...] = ()
    roi_feature_channels: int
    global_step: Tensor

    def __init__(self, data: DataConfig):
        super().__init__()
        self.classes = list(data.classes)
        self.purpose = purpose_of(type(self).__name__, data)
        self.grid = Grid.from_config(data)
        self.register_buffer("global_step", torch.zeros(1, dtype=torch.long))

    def forward(self, mode: str = "tensor", **batch: Any) -> dict | list[Detections]:
        """Run the detector on a batch.

        Args:
            mode: ``"loss"`` returns the losses by name, ``"predict"`` the detections of each frame (without gradient),
                ``"tensor"`` the batch with the results of all stages.
            batch: the entries of the batch.
        """
        if mode == "predict":
            with torch.no_grad():
                return self.detections(self.run_stages(batch))
        if mode == "loss":
            if self.training:
                self.global_step += 1
            return self.loss(self.run_stages(batch))
        if mode == "tensor":
            return self.run_stages(batch)
        raise ValueError(f"got mode {mode!r}; expected one of: loss, predict, tensor")

    def set_norm_momentum(self, momentum: float) -> None:
        """Set the momentum of every batch normalisation layer.

        Raises:
            ConfigError: ``momentum`` is not in (0, 1].
        """
        if not 0 < momentum <= 1:
            raise ConfigError(f"detector.norm_momentum: got {momentum}; expected a number above 0 and at most 1")
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
        """Losses by name, of a batch that went through all stages."""

    @abstractmethod
    def final_boxes(self, data: dict, frame: int) -> Proposals:
        """The detections of one frame of the batch, after non-maximum suppression."""

    @abstractmethod
    def regions(self, data: dict, frame: int, n_rois: int) -> tuple[Proposals, Tensor]:
        """At most ``n_rois`` regions of interest (RoIs) of one frame and their (R, roi_feature_channels) features."""

    @abstractmethod
    def embedding(self, data: dict) -> Tensor:
        """(N, roi_feature_channels) one feature vector per frame of the batch."""

    def passes(
        self, data: dict, frame: int, rois: Proposals, features: Tensor, dropout: DropoutPasses
    ) -> tuple[Tensor, Tensor]:
        """Predictions for the RoIs of one frame in each dropout pass.

        Args:
            data: a batch that went through all stages.
            frame: position of the frame in the batch.
            rois, features: as returned by :meth:`regions`.
            dropout: number of passes and dropout rate.

        Returns:
            (R, P, classes) class logits and (R, P, 7) boxes of each RoI in each of the P passes.

        Raises:
            KecorError: the detector has no dropout passes.
        """
        raise KecorError(
            f"{type(self).__name__} has no dropout passes; choose an acquisition method that does not need them, or "
            "implement passes()"
        )

    def detections(self, data: dict) -> list[Detections]:
        """The detections of each frame of a batch that went through all stages.

        Raises:
            KecorError: the predictions are not finite.
        """
        clouds = _split_points(data["points"], data["batch_size"])
        detections = []
        for frame, cloud in enumerate(clouds):
            self._check_finite(data, frame)
            kept = self.final_boxes(data, frame)
            boxes = to_numpy(kept.boxes)
            detections.append(
                Detections(
                    boxes=boxes,
                    scores=to_numpy(kept.scores),
                    labels=to_numpy(kept.labels),
                    logits=to_numpy(kept.logits),
                    n_points=ops.count_points_in_boxes(cloud, boxes),
                    velocities=None if kept.velocities is None else to_numpy(kept.velocities),
                )
            )
        return detections

    @torch.no_grad()
    def describe(self, batch: dict, n_rois: int, dropout: DropoutPasses | None = None) -> list[FrameOutputs]:
        """What acquisition functions read of each frame: detections, RoIs with features, and an embedding.

        Args:
            batch: a collated batch.
            n_rois: the largest number of RoIs per frame.
            dropout: if given, also predict every RoI in these dropout passes.

        Raises:
            RuntimeError: the detector is in training mode, which would change the statistics of batch normalisation.
            KecorError: the predictions are not finite, or the detector has no dropout passes.
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
                f"frame {data['frame_ids'][frame]}: the detector's predictions are not finite because training has "
                "diverged; lower schedule.lr or schedule.grad_clip"
            )


def _split_points(points: Tensor, batch_size: int) -> list[np.ndarray]:
    """The (P_i, 3) x, y, z of each frame, from (P, 1 + C) points with the batch index first."""
    array = to_numpy(points)
    return [array[array[:, 0] == frame, 1:4] for frame in range(batch_size)]
