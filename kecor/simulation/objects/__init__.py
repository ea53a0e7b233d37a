"""Meshes of the objects in a scene."""
