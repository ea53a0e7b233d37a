"""Small random frames for the tests of kernels, and their kernels by Jacobians that autograd computes."""

import numpy as np
import torch

from kecor.structures import FrameSet


def frame_set(n=5, n_rois=4, channels=6, outputs=3, seed=0, prefix="f", scores=True):
    """Frames with ragged numbers of RoIs, the last frame without any; targets are a smooth function of the features."""
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(n, n_rois, channels))
    mask = np.arange(n_rois) < rng.integers(1, n_rois + 1, size=(n, 1))
    mask[-1] = False
    mixing = np.random.default_rng(99).normal(size=(channels, outputs))
    feats = {"roi_features": features, "roi_mask": mask, "targets": np.tanh(features @ mixing)}
    if scores:
        feats["roi_scores"] = rng.uniform(0.05, 1, size=(n, n_rois))
    return FrameSet([f"{prefix}{i:03d}" for i in range(n)], feats)


def nasty_frame_set(n=6, seed=0, prefix="f", dtype=np.float64, **options):
    """Frames in no order, with NaN in RoIs that are masked out (also in the middle), and one of zero scores."""
    frames = frame_set(n, seed=seed, prefix=prefix, **options)
    rng = np.random.default_rng(seed)
    feats = {**frames.feats, "roi_features": (3 * frames.feats["roi_features"] + 2).astype(dtype)}
    feats["roi_mask"][0] = [False, True, *[True] * (feats["roi_mask"].shape[1] - 2)]
    feats["roi_scores"][1] = 0
    for name in ("roi_features", "roi_scores", "targets"):
        feats[name][~feats["roi_mask"]] = np.nan
    return rows(FrameSet(frames.ids, feats), rng.permutation(n))


def rows(frames, order):
    """The frames at ``order``."""
    return FrameSet(frames.ids[order], {name: array[order] for name, array in frames.feats.items()})


def plain_frames(frames, arrangement, mean=0.0, std=1.0):
    """Features (N, R, C) and weights (N, R) in float64, in the order of the ids, as a kernel should read them."""
    order = np.argsort(frames.ids)
    mask = frames.feats["roi_mask"][order]
    scaled = (frames.feats["roi_features"][order].astype(np.float64) - mean) / std
    x = np.where(mask[..., None], scaled, 0)
    if arrangement == "flatten":
        return torch.from_numpy(x.reshape(len(x), 1, -1)), torch.from_numpy(mask.any(1, keepdims=True) * 1.0)
    scores = np.where(mask, frames.feats.get("roi_scores", np.ones(frames.feats["roi_mask"].shape))[order], 0)
    scores[scores.sum(1) == 0] = mask[scores.sum(1) == 0]
    return torch.from_numpy(x), torch.from_numpy(scores / np.maximum(scores.sum(1, keepdims=True), 1e-300))


def autograd_gram(head, x, w, output="sum", parameters=""):
    """(N, N) inner products of the Jacobians of ``sum_r w[r] head(x[r])`` by the parameters whose names start so."""
    chosen = {name: p.detach() for name, p in head.named_parameters() if name.startswith(parameters)}

    def outputs(values, x, w):
        y = (torch.func.functional_call(head, values, (x,)) * w[:, None]).sum(0)
        return y.sum()[None] if output == "sum" else y

    jacobians = torch.func.vmap(torch.func.jacrev(outputs), (None, 0, 0))(chosen, x, w)
    flat = torch.cat([part.flatten(1) for part in jacobians.values()], 1)  # a frame's outputs side by side: the trace
    return (flat @ flat.T).detach().numpy()
