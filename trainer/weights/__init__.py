"""Weights that others made: read without their code, renamed, and matched to a network."""
