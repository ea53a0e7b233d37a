"""Choosing frames: the first ones at random or spread, later ones by an acquisition function within the budget."""
