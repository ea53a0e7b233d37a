"""The kernels of ``kecor.ops`` in plain torch, for tensors that are not on the CPU.

They run on any device and give what the compiled kernels give: the same rows, and overlaps that differ by the rounding
of a float32 at most.
"""
