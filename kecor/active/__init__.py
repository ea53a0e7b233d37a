"""Active learning in rounds: train, evaluate, pool pass, select, label."""
