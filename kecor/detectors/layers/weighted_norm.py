"""Batch normalisation of rows that stand for several equal ones."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.modules.batchnorm import _NormBase


class WeightedNorm(_NormBase):
    """Batch normalisation over rows (E, C), each counted as often as its weight says.

    The result equals that of plain batch normalisation over the repeated rows, and costs E of them. The published
    layers normalise (N, C, M, S) maps; parameters and statistics have their names.
    """

    momentum: float
    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def forward(self, rows: Tensor, weights: Tensor) -> Tensor:
        """(E, C) normalised rows.

        Args:
            rows: (E, C).
            weights: (E,) how often each row counts; at least two in all in training, else the statistics stay.
        """
        if self.training:
            total = weights.sum()
            normalised, mean, variance = _Normalise.apply(rows, weights / total, self.weight, self.bias, self.eps)
            if total > 1:
                self.num_batches_tracked += 1
                self.running_mean.lerp_(mean, self.momentum)
                self.running_var.lerp_(variance * (total / (total - 1)), self.momentum)
            return normalised
        statistics = self.running_mean, self.running_var
        return F.batch_norm(rows, *statistics, self.weight, self.bias, eps=self.eps)


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
        # mean and variance depend on every row in proportion to its share
        pull = torch.addcmul(bias_gradient, centred, weight_gradient * inverse).mul_(shares[:, None])
        rows_gradient = torch.sub(gradient, pull, out=pull).mul_(weight * inverse)
        return rows_gradient, None, weight_gradient, bias_gradient, None
