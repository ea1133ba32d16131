"""What `finders/auto.py` knows of a breast on the reduced image of block means, step by step.

    block_means -> frame_lines -> background -> part

What to leave out at the sides, what stands out from the rest, which part of that is a breast.

All values are integers, so that the kernels of `gpu/kernels/breast*.cuh` find the same.
"""
