"""Methods that choose frames unlike each other."""
