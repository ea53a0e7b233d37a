"""Methods that rank frames by the predicted class distributions of their boxes."""
