"""Batch to predictions: models, training, scores, metrics and the report."""
