"""Anchors, target assignment, box encoding and losses."""
