"""Set abstraction: features of the points around a centre (Qi et al. 2017, 3.2; Shi et al. 2020, 3.1)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from kecor import ops
from kecor.detectors.layers.pointwise import Pointwise
from kecor.detectors.layers.weighted_norm import WeightedNorm
from kecor.errors import ConfigError


class SetAbstraction(nn.Module):
    """For each of several radii, an MLP over the neighbours of a centre (offset and features) and its maximum.

    The published layers give every centre exactly ``samples`` neighbours: the first ones within the radius, in the
    order of the points; the first is repeated if there are fewer, and all are zeros if there is none. Here every
    neighbour is one row with a weight for its repetitions. The results are the same.

    Args:
        in_channels: channels of the point features.
        mlps: widths of the MLP, per radius.
        radii: metres.
        samples: largest number of neighbours, per radius.
        key: the section of the config, named in errors.

    Raises:
        ConfigError: lists of different lengths, or invalid values.
    """

    def __init__(
        self,
        in_channels: int,
        mlps: Sequence[Sequence[int]],
        radii: Sequence[float],
        samples: Sequence[int],
        key: str,
    ):
        super().__init__()
        if not len(mlps) == len(radii) == len(samples) or not all(mlps):
            raise ConfigError(f"{key}: mlps (lists of widths), radii and samples need one entry per radius")
        if not (all(r > 0 for r in radii) and all(n > 0 for n in samples)):
            raise ConfigError(f"{key}: radii and samples must be positive")
        self.mlps = nn.ModuleList(_GroupMLP(in_channels + 3, widths) for widths in mlps)
        self.in_channels = in_channels
        self.radii, self.samples = list(radii), list(samples)
        self.out_channels = sum(widths[-1] for widths in mlps)

    def forward(self, points: list[Tensor], features: list[Tensor], centres: list[Tensor]) -> Tensor:
        """(M, out_channels) float32 features of the centres of all frames, concatenated.

        Args:
            points: (N_f, 3) points, per frame.
            features: (N_f, in_channels) features of the points, per frame.
            centres: (M_f, 3) centres, per frame.
        """
        with torch.autocast(centres[0].device.type, enabled=False):
            stacked = torch.cat(points), torch.cat(features).float(), torch.cat(centres)
            results = []
            for mlp, radius, limit in zip(self.mlps, self.radii, self.samples):
                index, counts = _neighbours(points, centres, radius, limit)
                results.append(mlp(*stacked, index, counts, limit))
            return torch.cat(results, dim=1)


def _neighbours(points: list[Tensor], centres: list[Tensor], radius: float, limit: int) -> tuple[Tensor, Tensor]:
    """Result of :func:`kecor.ops.ball_query` for a batch, with indices into the concatenated points."""
    indices, counts, offset = [], [], 0
    for frame_points, frame_centres in zip(points, centres):
        index, count = ops.ball_query(frame_points, frame_centres, radius, limit)
        indices.append(index + offset)
        counts.append(count)
        offset += len(frame_points)
    return torch.cat(indices), torch.cat(counts)


class _GroupMLP(nn.ModuleList):
    """Linear layers without bias, each followed by normalisation and ReLU, and the maximum over each centre's rows."""

    def __init__(self, in_channels: int, widths: Sequence[int]):
        layers: list[nn.Module] = []
        for width in widths:
            linear = Pointwise(in_channels, width, 2)
            nn.init.kaiming_normal_(linear.weight)
            layers += [linear, WeightedNorm(width), nn.ReLU()]
            in_channels = width
        super().__init__(layers)
        self.out_channels = widths[-1]

    def forward(
        self, points: Tensor, features: Tensor, centres: Tensor, index: Tensor, counts: Tensor, limit: int
    ) -> Tensor:
        """(M, out_channels) features of the centres.

        Args:
            points: (N, 3).
            features: (N, C) features of the points.
            centres: (M, 3).
            index: (E,) rows of the points that are neighbours, centre by centre.
            counts: (M,) number of neighbours of each centre.
            limit: number of neighbours in a published group.
        """
        if len(centres) == 0:
            return centres.new_zeros(0, self.out_channels)
        # The first layer W maps a neighbour to W (p - c, f) = (W_p p + W_f f) - W_p c, so it is computed once per point
        # and once per centre. The zero neighbours of empty groups are one extra point at one extra centre.
        steps = list(self._steps())
        by_offset, by_feature = steps[0][0].matrix.split([3, features.shape[1]], dim=1)
        values = F.pad(torch.addmm(features @ by_feature.T, points, by_offset.T), (0, 0, 0, 1))
        at_centre = F.pad(centres @ by_offset.T, (0, 0, 0, 1))
        index = F.pad(index, (0, 1), value=len(points))
        runs = F.pad(counts, (0, 1), value=1)
        rows = ops.group(values, index, at_centre, runs)
        weights = _multiplicity(counts, len(rows), limit)
        for number, (linear, norm) in enumerate(steps):
            rows = norm(linear(rows) if number else rows, weights).relu_()
        pooled = ops.segment_max(rows, runs)
        return torch.where(counts[:, None] > 0, pooled[:-1], pooled[-1])

    def _steps(self) -> Iterator[tuple[Pointwise, WeightedNorm]]:
        """Each linear layer and the normalisation after it."""
        linears = [layer for layer in self if isinstance(layer, Pointwise)]
        norms = [layer for layer in self if isinstance(layer, WeightedNorm)]
        return zip(linears, norms)


def _multiplicity(counts: Tensor, rows: int, limit: int) -> Tensor:
    """(rows,) repetitions of each row in groups of ``limit`` rows; the last row stands for the empty groups."""
    weights = torch.ones(rows, device=counts.device)
    first = (counts.cumsum(0) - counts)[counts > 0]
    weights[first] += limit - counts[counts > 0]
    weights[-1] = limit * (counts == 0).sum()
    return weights
