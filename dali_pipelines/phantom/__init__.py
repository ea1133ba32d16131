"""Synthetic screening exams as real DICOM files, for the demo, the tests and the benchmarks.

patients -> picture (anatomy + texture + lesions -> detector + marker) -> encode -> write
"""
