"""What works on this machine: versions, GPUs, and every decoder tried (`mammo doctor`)."""
