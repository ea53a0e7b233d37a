"""The stages of the detectors, one per file."""
