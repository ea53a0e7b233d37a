"""Methods that work on gradients of the detector's last layer."""
