"""Kernels between frames: the empirical neural tangent kernel of a proxy head, and simpler ones to compare with."""

from kecor.ntk.build import frame_kernel, frame_targets
from kecor.ntk.kernels import KERNELS, Kernel, build_kernel, represent_all
from kecor.ntk.options import KernelOptions
from kecor.ntk.pool_kernel import PoolKernel
from kecor.ntk.proxy import ProxyFit, ProxyHead, fit_proxy
from kecor.ntk.roi_frames import RoiFrames, Scaling
from kecor.ntk.targets import training_pairs

__all__ = [
    "KERNELS",
    "Kernel",
    "KernelOptions",
    "PoolKernel",
    "ProxyFit",
    "ProxyHead",
    "RoiFrames",
    "Scaling",
    "build_kernel",
    "fit_proxy",
    "frame_kernel",
    "frame_targets",
    "represent_all",
    "training_pairs",
]
