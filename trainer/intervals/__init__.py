"""How sure a figure is: bootstraps over patients, DeLong's variance, pairs of models."""
