"""Methods that compare several dropout passes of the detector."""
