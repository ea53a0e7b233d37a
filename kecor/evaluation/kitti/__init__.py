"""KITTI's average precision."""
