"""Ray casting against triangle meshes with Open3D."""

from __future__ import annotations

from types import ModuleType

import numpy as np

from kecor.errors import KecorError
from kecor.simulation.objects.meshes import Mesh
from kecor.simulation.sensor import MAX_RANGE, Hits


def open3d() -> ModuleType:
    """Import open3d on first use, because the import takes a second.

    Raises:
        KecorError: open3d or a library it needs is not installed; names the command to run.
    """
    try:
        import open3d as module
    except ImportError as error:
        if "libusb" in str(error):
            fix = "run `apt-get install libusb-1.0-0`"
        else:
            fix = "run `pip install open3d-cpu` (Open3D also needs `apt-get install libusb-1.0-0` on slim systems)"
        raise KecorError(f"the simulator needs Open3D, which cannot be imported ({error}); {fix}") from error
    return module


class Caster:
    """Casts rays at a mesh. Single-threaded, because several frames are simulated in parallel processes."""

    def __init__(self, mesh: Mesh) -> None:
        self._o3d = open3d()
        self._scene = self._o3d.t.geometry.RaycastingScene(nthreads=1)
        self._scene.add_triangles(self._tensor(mesh.vertices, np.float32), self._tensor(mesh.triangles, np.uint32))

    def _tensor(self, array: np.ndarray, dtype: type):
        return self._o3d.core.Tensor.from_numpy(np.ascontiguousarray(array, dtype))

    def first_hits(self, rays: np.ndarray) -> Hits:
        """The first hit of each of the (R, 6) rays that hits the mesh within range."""
        answer = self._scene.cast_rays(self._tensor(rays, np.float32), nthreads=1)
        distance = answer["t_hit"].numpy()
        ray = np.flatnonzero(distance < MAX_RANGE)
        normal = answer["primitive_normals"].numpy()[ray]
        return Hits(
            ray=ray,
            distance=distance[ray].astype(np.float64),
            triangle=answer["primitive_ids"].numpy()[ray].astype(np.int64),
            cosine=np.abs((normal * rays[ray, 3:]).sum(1)).astype(np.float64),
        )

    def all_hits(self, rays: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """All hits of the (R, 6) rays, including hidden ones: (H,) rows of rays, rows of triangles and metres."""
        answer = self._scene.list_intersections(self._tensor(rays, np.float32), nthreads=1)
        ray, triangle = answer["ray_ids"].numpy().astype(np.int64), answer["primitive_ids"].numpy().astype(np.int64)
        distance = answer["t_hit"].numpy().astype(np.float64)
        near = distance < MAX_RANGE
        return ray[near], triangle[near], distance[near]
