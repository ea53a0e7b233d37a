"""Layers used by the stages."""
