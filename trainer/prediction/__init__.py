"""Images and checkpoints to scores."""
