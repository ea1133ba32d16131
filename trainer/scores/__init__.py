"""Tables of scores: how they are made, read, and written for others."""
