"""Methods that select frames unlike each other."""
