"""Each code of rejects.csv in words: what was found, and what to do, one sentence each.

For who keeps the data: no word that only a programmer knows.
"""

from collections.abc import Mapping
from typing import Final

from dali_pipelines.verdicts import Reason

_NOTHING: Final = "Nothing needs to be done."
_AGAIN: Final = "Fetch the file again from the archive it came from."
_REPORT: Final = "Try the file again, and report the kind of scanner if it fails again."

REASON_TEXTS: Final[Mapping[Reason, tuple[str, str]]] = {
    Reason.NOT_DICOM: (
        "The file does not begin as a DICOM file does.",
        "Nothing needs to be done, unless it was meant as an image: then export it as DICOM.",
    ),
    Reason.NOT_AN_IMAGE: (
        "The file belongs to the archive but holds no picture: a report, an index or the like.",
        _NOTHING,
    ),
    Reason.NOT_A_FILE: (
        "The entry is a link to a folder, a pipe or a device, none of which is opened.",
        "Name the folder that the link leads to as a source of its own if it holds images.",
    ),
    Reason.DIRECTORY_LOOP: (
        "A link or a mount leads back to a folder above it, so it would never end.",
        _NOTHING,
    ),
    Reason.COLOR: (
        "The image is in color, as screenshots and ultrasound are; mammograms are gray.",
        _NOTHING,
    ),
    Reason.MULTIFRAME: (
        "The object is a stack of frames, such as a tomosynthesis, and single images were wanted.",
        "Scan with --frames first, middle, all or mip to take images from it.",
    ),
    Reason.FOR_PROCESSING: (
        "The image is raw detector data (FOR PROCESSING), which looks unlike what is read.",
        "Use the FOR PRESENTATION image of the exam, or scan with --accept-processing.",
    ),
    Reason.NOT_MAMMOGRAPHY: (
        "The image is of another modality than mammography or radiography, such as CT.",
        "Nothing needs to be done, or scan with --any-modality to take it all the same.",
    ),
    Reason.DUPLICATE: (
        "The same image occurs more than once, and the first copy was kept.",
        _NOTHING,
    ),
    Reason.EMPTY: ("The file has no bytes, as after a failed copy.", _AGAIN),
    Reason.IO: (
        "The file could not be read, or is gone.",
        "Check the disk or the network share that it lies on, then try again.",
    ),
    Reason.PERMISSION: (
        "This account may not read the file or folder.",
        "Have read permission granted, then try again.",
    ),
    Reason.CHANGED: (
        "The file is not the one that was scanned: its size, time or content changed since.",
        "Put the file back that was scanned, or scan again.",
    ),
    Reason.TRUNCATED: (
        "The file, or the picture in it, ends too early, so a part of the image is missing.",
        _AGAIN,
    ),
    Reason.CORRUPT: (
        "The file's structure or its compressed picture is damaged.",
        _AGAIN,
    ),
    Reason.HEADER: (
        "The header lacks a value that the image needs, or states one that cannot be true.",
        "Export the image again, or ask whoever changed its header, such as a de-identifier.",
    ),
    Reason.NO_PIXELS: (
        "The header describes an image, but the file holds no picture.",
        "Fetch the file again, and ask the archive for the full object, not for its header.",
    ),
    Reason.FRAMES: (
        "The number of frames that the header states does not fit what the file holds.",
        _AGAIN,
    ),
    Reason.GEOMETRY: (
        "The picture has another height, width or number of colors than the header states.",
        "Export the image again, since it is not known which of the two is right.",
    ),
    Reason.SYNTAX: (
        "The file does not say how its picture is compressed, and the picture does not tell.",
        "Export the image again with a transfer syntax of the table in the README.",
    ),
    Reason.UNSUPPORTED: (
        "The file, archive or picture is in a form that is not read; its detail says which.",
        "Unpack an archive to plain files; convert a picture to an uncompressed or JPEG 2000 "
        "transfer syntax.",
    ),
    Reason.TOO_LARGE: (
        "The image or the file would unfold to more than the limit, as a hostile file does.",
        "If it is to be trusted, scan with a higher --max-pixels or --max-inflated.",
    ),
    Reason.RESCALE: (
        "Rescale Slope and Intercept are incomplete or give no usable gray values.",
        "Export the image again, since its gray values have no meaning as they are.",
    ),
    Reason.VOI: (
        "The header offers no gray window that can be used in the way that was asked for.",
        "Export the image again, or change voi in the recipe if it was the recipe that asked.",
    ),
    Reason.LUT: (
        "A lookup table for the gray values contradicts its own description.",
        "Export the image again, since its gray values have no meaning as they are.",
    ),
    Reason.DUPLICATE_CONFLICT: (
        "Two different pictures carry the same identifier, and the first one was kept.",
        "Find out which of the two is right, remove the other one, and scan again.",
    ),
    Reason.DECODER_CRASH: (
        "The program that reads or decompresses the picture broke down on this file.",
        _REPORT,
    ),
    Reason.TIMEOUT: (
        "The picture was not decompressed within the time limit.",
        "Try again when the machine is less busy; if it fails again, the file is damaged.",
    ),
    Reason.OUT_OF_MEMORY: (
        "The machine had no memory left for this image.",
        "Try again with fewer workers or threads.",
    ),
    Reason.MISMATCH: (
        "Two independent decoders read different pictures from the same file.",
        "Do not use the image, and report the kind of scanner and the transfer syntax.",
    ),
    Reason.UNEXPECTED: (
        "The program met something on this file that it was not written for.",
        _REPORT,
    ),
}
