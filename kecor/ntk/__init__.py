"""The empirical neural tangent kernel of a proxy head, and the kernels it is compared with."""

from kecor.ntk.frames import RoiFrames, Scaling
from kecor.ntk.kernels import KERNELS, Kernel, KernelMatrix, build_kernel
from kecor.ntk.proxy import ProxyFit, ProxyHead, fit_proxy, training_pairs

__all__ = [
    "KERNELS",
    "Kernel",
    "KernelMatrix",
    "ProxyFit",
    "ProxyHead",
    "RoiFrames",
    "Scaling",
    "build_kernel",
    "fit_proxy",
    "training_pairs",
]
