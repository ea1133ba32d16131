"""Where the figures of a run are also sent, if asked: one small file for each place.

Each imports its package on use and sends figures and settings alone: no paths, no machine, no code.
"""
