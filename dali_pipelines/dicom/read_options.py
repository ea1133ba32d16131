"""What a scan accepts, and how thoroughly it looks."""

from dataclasses import dataclass

from dali_pipelines.dicom.frames import Frames
from dali_pipelines.storage.archive import MAX_INFLATED_BYTES


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What to accept, and how thoroughly to look.

    `hash`: read the whole codestream, take its SHA-256 and prove it complete, and hold a stored zip
    member to its CRC-32; else only the codestream's head is read. `any_modality`: take images of
    CT, MR and the like, which are no radiographs, as well. `max_pixels` bounds rows x columns,
    `max_inflated` the bytes that compressed data may unfold to. `frames`: what an object of several
    frames gives, see `frames.Frames`.
    """

    hash: bool = True
    accept_processing: bool = False
    any_modality: bool = False
    max_pixels: int = 100_000_000  # five times the largest mammogram
    max_inflated: int = MAX_INFLATED_BYTES
    frames: Frames = "error"
