"""What scores are worth: figures of merit and curves."""
