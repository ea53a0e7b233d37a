"""The second stage of PV-RCNN as it was published, written plainly: loops over points, dense groups of neighbours,
convolutions of kernel size 1 over them. Modules take over the parameters of kecor's by name and compute in float64;
only distances are float32, as in the published kernels."""

import math
from itertools import product

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn


def squared_distances(points: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """(N,) float32."""
    d = points[:, :3].astype(np.float32) - centre[:3].astype(np.float32)
    return (d[:, 0] * d[:, 0] + d[:, 1] * d[:, 1]) + d[:, 2] * d[:, 2]


def furthest_points(points: np.ndarray, n: int) -> list[int]:
    """Rows of ``n`` points, each the furthest from those before it; the whole order again where it is too short."""
    if not len(points):
        return []
    nearest, rows = np.full(len(points), np.inf, np.float32), [0]
    while len(rows) < min(n, len(points)):
        nearest = np.minimum(nearest, squared_distances(points, points[rows[-1]]))
        nearest[rows] = -1
        rows.append(int(nearest.argmax()))
    return [rows[i % len(rows)] for i in range(n)]


def group(points: Tensor, features: Tensor, centre: Tensor, radius: float, samples: int) -> Tensor:
    """(3 + C, samples) offsets and features of the first neighbours, the first of them in the places left over; zeros
    where there is none."""
    squared = squared_distances(points.detach().numpy(), centre.detach().numpy())
    rows = np.flatnonzero(squared < np.float32(radius * radius))[:samples].tolist()
    if not rows:
        return features.new_zeros(3 + features.shape[1], samples)
    rows += rows[:1] * (samples - len(rows))
    return torch.cat([points[rows] - centre, features[rows]], dim=1).T


class PlainSetAbstraction(nn.Module):
    """Has the parameters of a :class:`~kecor.detectors.layers.set_abstraction.SetAbstraction`."""

    def __init__(self, layer: nn.Module):
        super().__init__()
        self.radii, self.samples = layer.radii, layer.samples
        self.mlps = nn.ModuleList()
        for mlp in layer.mlps:
            modules = []
            for shape in (p.shape for p in mlp.parameters() if p.ndim == 4):
                modules += [nn.Conv2d(shape[1], shape[0], 1, bias=False), nn.BatchNorm2d(shape[0]), nn.ReLU()]
            self.mlps.append(nn.Sequential(*modules))
        take_over(self, layer)

    def forward(self, points: list[Tensor], features: list[Tensor], centres: list[Tensor]) -> Tensor:
        frames = [[tensor.double() for tensor in of_frame] for of_frame in zip(points, features, centres)]
        found = []
        for mlp, radius, samples in zip(self.mlps, self.radii, self.samples):
            groups = [group(p, f, centre, radius, samples) for p, f, around in frames for centre in around]
            maps = mlp(torch.stack(groups, dim=1)[None])  # (1, C, M, samples)
            found.append(F.max_pool2d(maps, [1, samples])[0, :, :, 0].T)
        return torch.cat(found, dim=1)


class PlainKeypoints(nn.Module):
    """Has the parameters of a :class:`~kecor.detectors.stages.voxel_set_abstraction.VoxelSetAbstraction`."""

    def __init__(self, pfe: nn.Module):
        super().__init__()
        self.grid, self.keypoints, self.levels = pfe.grid, pfe.keypoints, pfe.levels
        self.SA_layers = nn.ModuleList(PlainSetAbstraction(layer) for layer in pfe.SA_layers)
        self.SA_rawpoints = PlainSetAbstraction(pfe.SA_rawpoints) if pfe.SA_rawpoints is not None else None
        out, inputs = pfe.vsa_point_feature_fusion[0].weight.shape
        linear = nn.Linear(inputs, out, bias=False)
        self.vsa_point_feature_fusion = nn.Sequential(linear, nn.BatchNorm1d(out), nn.ReLU())
        take_over(self, pfe)

    def forward(self, data: dict) -> tuple[list[Tensor], Tensor, Tensor]:
        """Keypoints of each frame, unfused and fused features."""
        rows = data["points"]
        clouds = [rows[rows[:, 0] == frame, 1:] for frame in range(data["batch_size"])]
        keypoints = [cloud[furthest_points(cloud.numpy(), self.keypoints), :3] for cloud in clouds]
        places = [(bev, point) for bev, points in zip(data["spatial_features"], keypoints) for point in points]
        found = [torch.stack([read_map(bev, point, self.grid) for bev, point in places])]
        if self.SA_rawpoints is not None:
            found.append(self.SA_rawpoints([c[:, :3] for c in clouds], [c[:, 3:] for c in clouds], keypoints))
        for name, layer in zip(self.levels, self.SA_layers):
            voxels = data["multi_scale_3d_features"][name]
            stride = 2 ** (int(name[-1]) - 1)
            centres = torch.tensor([voxel_centre(cell, stride, self.grid) for cell in voxels.indices.tolist()])
            of_frame = [voxels.indices[:, 0] == frame for frame in range(data["batch_size"])]
            found.append(layer([centres[f] for f in of_frame], [voxels.features[f] for f in of_frame], keypoints))
        unfused = torch.cat(found, dim=1)
        return keypoints, unfused, self.vsa_point_feature_fusion(unfused)


class PlainPointHead(nn.Module):
    """Has the parameters of a :class:`~kecor.detectors.stages.point_head.PointHead`."""

    def __init__(self, head: nn.Module):
        super().__init__()
        *hidden, last = (p.shape for p in head.parameters() if p.ndim == 2)
        modules = []
        for out, inputs in hidden:
            modules += [nn.Linear(inputs, out, bias=False), nn.BatchNorm1d(out), nn.ReLU()]
        self.cls_layers = nn.Sequential(*modules, nn.Linear(last[1], 1))
        take_over(self, head)

    def forward(self, unfused: Tensor) -> Tensor:
        """(K,) logits."""
        return self.cls_layers(unfused)[:, 0]


class PlainRoiHead(nn.Module):
    """Has the parameters of a :class:`~kecor.detectors.stages.roi_grid_head.RoiGridHead`."""

    def __init__(self, head: nn.Module):
        super().__init__()
        self.grid_size = head.grid_size
        self.roi_grid_pool_layer = PlainSetAbstraction(head.roi_grid_pool_layer)
        for name in ("shared_fc_layer", "cls_layers", "reg_layers"):
            setattr(self, name, conv1d_layers(getattr(head, name)))
        take_over(self, head)

    def forward(self, keypoints: list[Tensor], features: list[Tensor], rois: list[Tensor]) -> dict[str, Tensor]:
        """The pooled (R, C, size, size, size), and what the head makes of it."""
        grids = [[point for roi in boxes.tolist() for point in roi_grid(roi, self.grid_size)] for boxes in rois]
        centres = [torch.tensor(points, dtype=torch.float64).view(-1, 3) for points in grids]
        pooled = self.roi_grid_pool_layer(keypoints, features, centres)
        pooled = pooled.view(-1, *[self.grid_size] * 3, pooled.shape[1]).permute(0, 4, 1, 2, 3)
        shared = self.shared_fc_layer(pooled.flatten(1)[..., None])
        residuals = self.reg_layers(shared)[..., 0]
        boxes = [decoded(r, roi) for r, roi in zip(residuals.tolist(), torch.cat(rois).tolist())]
        logits = self.cls_layers(shared)[:, 0, 0]
        found = {"pooled": pooled, "roi_features": shared[..., 0], "roi_logits": logits, "roi_residuals": residuals}
        return {**found, "roi_boxes": torch.tensor(boxes, dtype=torch.float64)}


def conv1d_layers(layers: nn.Sequential) -> nn.Sequential:
    """Conv1d, BatchNorm1d, ReLU and, after the first, Dropout; a last Conv1d with bias where ``layers`` has one."""
    modules = []
    for name, weight in layers.named_parameters():
        if weight.ndim != 3:
            continue
        has_bias = f"{name.split('.')[0]}.bias" in dict(layers.named_parameters())
        modules.append(nn.Conv1d(weight.shape[1], weight.shape[0], 1, bias=has_bias))
        if not has_bias:
            modules += [nn.BatchNorm1d(weight.shape[0]), nn.ReLU()]
        if len(modules) == 3:
            modules.append(nn.Dropout(0.0))
    return nn.Sequential(*modules)


def take_over(module: nn.Module, source: nn.Module) -> None:
    """The parameters and statistics of ``source``, in float64, and its mode."""
    module.load_state_dict(source.state_dict())
    module.double().train(source.training)


def read_map(bev: Tensor, point: Tensor, grid) -> Tensor:
    """(C,) value of a (C, H, W) map at a point: the four corners clamped to the map, each weighed by the area towards
    the opposite one."""
    x, y = ((float(point[i]) - grid.point_cloud_range[i]) / (8 * grid.voxel_size[i]) for i in (0, 1))
    x0, y0 = (min(max(math.floor(v), 0), bev.shape[i] - 1) for v, i in ((x, 2), (y, 1)))
    x1, y1 = (min(max(math.floor(v) + 1, 0), bev.shape[i] - 1) for v, i in ((x, 2), (y, 1)))
    low = bev[:, y0, x0].double() * (x1 - x) + bev[:, y0, x1].double() * (x - x0)
    high = bev[:, y1, x0].double() * (x1 - x) + bev[:, y1, x1].double() * (x - x0)
    return low * (y1 - y) + high * (y - y0)


def voxel_centre(cell: list[int], stride: int, grid) -> list[float]:
    """x, y, z of the centre of cell (batch, z, y, x)."""
    low, size = grid.point_cloud_range[:3], grid.voxel_size
    return [low[i] + (cell[3 - i] + 0.5) * stride * size[i] for i in range(3)]


def roi_grid(roi: list[float], size: int) -> list[list[float]]:
    """The centres of the equal parts of a box, x slowest and z fastest."""
    x, y, z, dx, dy, dz, heading = roi
    points = []
    for i, j, k in product(range(size), repeat=3):
        u, v, w = ((n + 0.5) / size * d - d / 2 for n, d in ((i, dx), (j, dy), (k, dz)))
        along = u * math.cos(heading) - v * math.sin(heading)
        points.append([x + along, y + u * math.sin(heading) + v * math.cos(heading), z + w])
    return points


def decoded(residual: list[float], roi: list[float]) -> list[float]:
    """The box of a residual in the frame of its region; its heading in [-pi, pi)."""
    x, y, z, dx, dy, dz, heading = roi
    diagonal = math.hypot(dx, dy)
    u, v = residual[0] * diagonal, residual[1] * diagonal
    place = [x + u * math.cos(heading) - v * math.sin(heading), y + u * math.sin(heading) + v * math.cos(heading)]
    size = [math.exp(r) * d for r, d in zip(residual[3:6], (dx, dy, dz))]
    turned = (heading + residual[6] + math.pi) % (2 * math.pi) - math.pi
    return [*place, z + residual[2] * dz, *size, turned]


def randomise(module: nn.Module, seed: int = 0) -> None:
    """Batch normalisations with statistics, scales and shifts of their own."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for layer in module.modules():
            if isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d)):
                for values, low, high in (
                    (layer.weight, 0.5, 1.5),
                    (layer.bias, -0.3, 0.3),
                    (layer.running_mean, -0.3, 0.3),
                    (layer.running_var, 0.5, 1.5),
                ):
                    values.uniform_(low, high, generator=generator)


def assert_near(got: Tensor, expected: Tensor, tolerance: float) -> None:
    """Equal shapes, and no difference above ``tolerance`` of the largest expected value."""
    assert got.shape == expected.shape
    if expected.numel():
        scale = max(float(expected.detach().abs().max()), 1e-3)
        torch.testing.assert_close(got.detach().double(), expected.detach().double(), atol=tolerance * scale, rtol=0)


def second_stage(detector: nn.Module, data: dict) -> dict[str, Tensor]:
    """Results of all stages that follow the map, the levels of the 3D backbone and the RoIs in ``data``."""
    keypoints, unfused, fused = PlainKeypoints(detector.pfe)(data)
    logits = PlainPointHead(detector.point_head)(unfused)
    weighted = fused * logits.sigmoid()[:, None]
    features = weighted.split([len(k) for k in keypoints])
    found = PlainRoiHead(detector.roi_head)(keypoints, list(features), [rois.boxes for rois in data["rois"]])
    stages = {"unfused_features": unfused, "fused": fused, "keypoint_logits": logits, "keypoint_features": weighted}
    return {"keypoints": torch.cat(keypoints), **stages, **found, "roi_scores": found["roi_logits"].sigmoid()}
