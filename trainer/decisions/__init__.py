"""What follows from a score: thresholds and calibrated probabilities."""
