"""Decoders in child processes, which may die or hang without taking the run along."""
