import sys

import pytest


@pytest.fixture(params=["compiled", "in torch"])
def way(request, monkeypatch):
    """Both implementations of the kernels on tensors, on the CPU."""
    if request.param == "in torch":
        for name in ("furthest_point", "ball_query", "grouping", "segment_max"):
            module = sys.modules[f"kecor.ops.{name}"]  # as attributes of the package some are hidden by functions
            monkeypatch.setattr(module, "is_compiled_for", lambda tensor: False)
