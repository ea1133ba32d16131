"""Where a network looks, in pixels of the file."""
