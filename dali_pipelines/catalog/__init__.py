"""Folders and archives to a manifest, a row of rejects.csv for all else, and an inventory."""
