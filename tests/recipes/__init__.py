"""The recipes against what they reproduce: one straight-line script each, and golden values.

The scripts are written from the descriptions of the published systems, with NumPy, OpenCV, Pillow,
SciPy, pydicom and torch; none of them imports anything of ours but the type of its result.
"""
