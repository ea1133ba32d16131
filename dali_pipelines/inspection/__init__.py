"""Looking at images one by one: a second decoder, what the pixels say, pictures for people."""
