"""Batch normalisation of weighted rows."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.modules.batchnorm import _NormBase


class WeightedNorm(_NormBase):
    """Batch normalisation over rows (E, C), each with a weight.

    The result equals batch normalisation over rows that are repeated according to their weights. Parameters and
    statistics have the names of ``nn.BatchNorm2d``, which the published layers use.
    """

    momentum: float
    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def forward(self, rows: Tensor, weights: Tensor) -> Tensor:
        """(E, C) normalised rows.

        Args:
            rows: (E, C).
            weights: (E,) number of repetitions of each row. In training the running statistics are updated only if
                their sum is above 1.
        """
        if self.training:
            total = weights.sum()
            normalised, mean, variance = _Normalise.apply(rows, weights / total, self.weight, self.bias, self.eps)
            if total > 1:
                self.num_batches_tracked += 1
                self.running_mean.lerp_(mean, self.momentum)
                self.running_var.lerp_(variance * (total / (total - 1)), self.momentum)
            return normalised
        return F.batch_norm(rows, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)


class _Normalise(torch.autograd.Function):
    @staticmethod
    def forward(ctx, rows, shares, weight, bias, eps):
        mean = shares @ rows
        centred = rows - mean
        variance = shares @ (centred * centred)
        inverse = torch.rsqrt(variance + eps)
        ctx.save_for_backward(centred, shares, weight, inverse)
        ctx.mark_non_differentiable(mean, variance)
        return torch.addcmul(bias, centred, weight * inverse), mean, variance

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient, *_):
        centred, shares, weight, inverse = ctx.saved_tensors
        bias_gradient = gradient.sum(0)
        weight_gradient = (gradient * centred).sum(0) * inverse
        # the mean and variance depend on every row in proportion to its share
        through_statistics = torch.addcmul(bias_gradient, centred, weight_gradient * inverse).mul_(shares[:, None])
        rows_gradient = torch.sub(gradient, through_statistics, out=through_statistics).mul_(weight * inverse)
        return rows_gradient, None, weight_gradient, bias_gradient, None
