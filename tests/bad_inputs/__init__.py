"""The catalogue of bad inputs: CASES, each with the verdict that it must end with."""

from tests.bad_inputs import (
    archives,
    changes,
    checkpoints,
    damage,
    encapsulation,
    files,
    found_by_fuzzing,
    frames,
    grayscale,
    headers,
    labels,
    outputs,
    payloads,
    pictures,
    places,
)
from tests.bad_inputs.case import Case

CASES: tuple[Case, ...] = (
    *files.CASES,
    *headers.CASES,
    *frames.CASES,
    *payloads.CASES,
    *encapsulation.CASES,
    *damage.CASES,
    *grayscale.CASES,
    *pictures.CASES,
    *archives.CASES,
    *places.CASES,
    *changes.CASES,
    *outputs.CASES,
    *labels.CASES,
    *checkpoints.CASES,
    *found_by_fuzzing.CASES,
)

__all__ = ["CASES", "Case"]
