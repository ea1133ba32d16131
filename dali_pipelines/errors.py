"""Every error this project raises on purpose, each with the exit code of DESIGN's list.

All share `MammoError`, and each also derives from the standard class that a plain `except` would
name. A message is one sentence: what, where, what was found, what was wanted, what to do.
"""


class MammoError(Exception):
    """Root of all errors raised on purpose; `exit_code` is what `mammo` returns."""

    exit_code = 1


class ConfigError(MammoError, ValueError):
    """A setting, option, recipe or path that was asked for does not exist or is out of range."""

    exit_code = 2


class DatasetError(MammoError, ValueError):
    """A table, its labels or its folds cannot be used: a column is missing, patients leak."""

    exit_code = 3


class RejectsError(DatasetError):
    """The run finished, but more inputs were rejected than `--max-rejects` allows."""


class DeviceError(MammoError, RuntimeError):
    """The device or a library that a command needs is not there."""

    exit_code = 4


class CheckpointError(MammoError, RuntimeError):
    """A checkpoint is missing, damaged, or was made with other pixels than it is asked to score."""

    exit_code = 5


class DamagedError(CheckpointError):
    """A file of weights does not hold the bytes that were written: another copy may."""


class GateError(MammoError, RuntimeError):
    """A required result was not met, such as `evaluate --min-auroc`."""

    exit_code = 5


class LostRankError(MammoError, RuntimeError):
    """Another rank of the run ended, so this one cannot go on; the cause is with the other."""
