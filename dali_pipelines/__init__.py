"""Bytes to batch: everything between a DICOM file and a tensor; knows nothing of models."""
