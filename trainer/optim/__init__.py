"""How a network learns: optimizer, learning rate, moving averages."""
