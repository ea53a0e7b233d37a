"""Methods based on gradients of the detector's last classification layer."""
