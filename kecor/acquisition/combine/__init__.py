"""Methods built from other methods."""
