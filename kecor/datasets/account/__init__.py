"""What a detector is about to be trained on, in numbers, and what looks wrong about it."""

from kecor.datasets.account.account import account, labelled_in

__all__ = ["account", "labelled_in"]
