"""The stages of a detector, one a file."""
