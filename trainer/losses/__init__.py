"""What is minimized: the loss of cancer and of auxiliary tasks, over the samples that exist."""
