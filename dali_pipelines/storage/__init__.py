"""Bytes of files, zip members and deflated data sets, read without trust in what they claim."""
