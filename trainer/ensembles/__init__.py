"""Several checkpoints as one: how they are combined, chosen and kept."""
