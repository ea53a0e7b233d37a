"""The KITTI object layout."""
