"""Training a detector and running it: schedule, checkpoints that survive a kill, inference, several processes."""
