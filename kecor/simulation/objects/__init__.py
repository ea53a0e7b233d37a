"""Meshes of what stands in a scene."""
