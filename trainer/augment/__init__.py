"""Random changes of images in training, on their device."""
