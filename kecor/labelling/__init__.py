"""Work for annotators and what comes back: writing, reading and checking annotation formats."""
