"""Each flag of the manifest in words: what is odd, and what to do, one sentence each.

For who keeps the data: no word that only a programmer knows.
"""

from collections.abc import Mapping
from typing import Final

from dali_pipelines.verdicts import Flag

_NOTHING: Final = "Nothing needs to be done."

FLAG_TEXTS: Final[Mapping[Flag, tuple[str, str]]] = {
    Flag.SYNTAX_MISMATCH: (
        "The picture is compressed otherwise than the file states; the picture was believed.",
        _NOTHING,
    ),
    Flag.SIGN_MISMATCH: (
        "Header and picture disagree on whether values can be negative.",
        "Look at one of these images with `mammo preview`.",
    ),
    Flag.PRECISION_MISMATCH: (
        "Header and picture disagree on the bits of a value; the picture was believed.",
        _NOTHING,
    ),
    Flag.LOSSY_IN_LOSSLESS: (
        "The picture was compressed with loss although its transfer syntax says lossless.",
        "Ask the archive for the original if fine detail matters.",
    ),
    Flag.UNPROVEN: (
        "Nothing in the codestream tells a complete one from a cut one, as in lossy JPEG.",
        "Compare its size with the archive's if the copy is in doubt.",
    ),
    Flag.BOXED: (
        "The picture is wrapped in a JP2 file inside the DICOM file, which is unusual.",
        _NOTHING,
    ),
    Flag.OFFSET_TABLE: (
        "The table of where each frame begins is wrong; the frames themselves were believed.",
        _NOTHING,
    ),
    Flag.FRAMES_DIFFER: (
        "The frames are to be shown in different ways; their maximum is shown like the first.",
        "Look at one of these images with `mammo preview`, or take single frames.",
    ),
    Flag.TRAILING_BYTES: (
        "Bytes without meaning follow the end of the picture.",
        _NOTHING,
    ),
    Flag.NO_DELIMITER: (
        "The mark that ends the picture is missing, but the picture is complete.",
        _NOTHING,
    ),
    Flag.LENGTH_BEYOND_EOF: (
        "The stated length of the picture passes the end of the file, but no pixel is missing.",
        _NOTHING,
    ),
    Flag.EXCESS_BYTES: (
        "There are more bytes than the picture needs; the first ones were taken.",
        "Look at one of these images with `mammo preview`.",
    ),
    Flag.HIGH_BIT: (
        "The values do not lie in the lowest bits of their words; they were shifted into place.",
        _NOTHING,
    ),
    Flag.NONCONFORMANT_RESCALE: (
        "A mammogram carries a rescaling that its kind may not have; it was applied.",
        _NOTHING,
    ),
    Flag.VOI_ABSENT: (
        "The header has no window and no lookup table; the recipe's own rule was used.",
        "Compare brightness with other images of the same scanner.",
    ),
    Flag.VOI_INVALID: (
        "A window of the header cannot be used, such as one without width; it was left out.",
        "Compare brightness with other images of the same scanner.",
    ),
    Flag.VOI_VM_MISMATCH: (
        "The header has more window centers than widths, or fewer; whole pairs were used.",
        _NOTHING,
    ),
    Flag.LUT_INVALID: (
        "A lookup table of the header contradicts its own description; what is sound was used.",
        "Compare brightness with other images of the same scanner.",
    ),
    Flag.LUT_RANGE_SUSPECT: (
        "A lookup table uses far less or more than the range of gray it states, or starts beyond "
        "all values.",
        "Compare brightness with other images of the same scanner.",
    ),
    Flag.PADDING_SUSPECT: (
        "The values marked as background cannot be so; the mark was not used.",
        _NOTHING,
    ),
    Flag.PADDING_LOSSY: (
        "Background was marked by a value that lossy compression may have altered around its edge.",
        _NOTHING,
    ),
    Flag.POLARITY_CONFLICT: (
        "Two statements of the header disagree on whether low values are bright.",
        "Look at one of these images with `mammo preview`: background must be black.",
    ),
    Flag.LATERALITY_CONFLICT: (
        "Two statements disagree on which breast this is.",
        "Look at the side marker in the image, and correct the source that is wrong.",
    ),
    Flag.VIEW_CONFLICT: (
        "Two statements disagree on the view, such as CC and MLO.",
        "Look at the view marker in the image, and correct the source that is wrong.",
    ),
    Flag.LATERALITY_INFERRED: (
        "The header names no breast outright; the side was worked out from its other statements.",
        "Check a few of these against the side marker in the image.",
    ),
    Flag.NO_LATERALITY: (
        "Nothing says which breast this is, so its score belongs to no breast.",
        "Add laterality to the table of labels, which fills such gaps.",
    ),
    Flag.NO_VIEW: (
        "Nothing says which view this is.",
        "Add view to the table of labels, which fills such gaps.",
    ),
    Flag.SECONDARY_CAPTURE: (
        "The object is a secondary capture, such as a scanned film or an export of a viewer.",
        "Check that the set is meant to hold such images.",
    ),
    Flag.NOT_MG: (
        "The image is a radiograph, but not of the class for digital mammography.",
        "Check that the set is meant to hold such images.",
    ),
    Flag.FOR_PROCESSING: (
        "The image is raw detector data and was taken because --accept-processing asked for it.",
        "Train and score such images apart, since they look unlike those that are read.",
    ),
    Flag.SYNTHETIC_2D: (
        "The image was computed from a tomosynthesis, not taken by itself.",
        "Leave such images out if the model did not learn from any.",
    ),
    Flag.TOMOSYNTHESIS: (
        "The image is a part or a projection of a tomosynthesis.",
        "Leave such images out if the model did not learn from any.",
    ),
    Flag.CONTRAST: (
        "The image was taken with a contrast agent.",
        "Leave such images out if the model did not learn from any.",
    ),
    Flag.BIOPSY: (
        "The image was taken to guide or to check a biopsy.",
        "Leave such images out of screening figures.",
    ),
    Flag.SPOT: (
        "The view is a spot compression, which shows a part of the breast.",
        "Leave such images out if the model did not learn from any.",
    ),
    Flag.MAGNIFICATION: (
        "The view was taken magnified.",
        "Leave such images out if the model did not learn from any.",
    ),
    Flag.LOSSY_HISTORY: (
        "The image was compressed with loss at some time before.",
        "Ask the archive for the original if fine detail matters.",
    ),
    Flag.BURNED_IN: (
        "The header says that the picture itself shows text that may name the patient.",
        "Do not pass the pictures on before someone has looked at them.",
    ),
    Flag.IMPLANT: (
        "The header says that the breast has an implant.",
        "Judge scores of such images apart.",
    ),
    Flag.QUALITY_CONTROL: (
        "The header says that this is a quality-control image of a test object.",
        "Leave such images out of training and of figures.",
    ),
    Flag.PARTIAL_VIEW: (
        "The image shows a part of the breast only.",
        "Judge scores of such images apart.",
    ),
    Flag.CONSTANT: (
        "All pixels have the same value, so there is nothing to see.",
        "Leave the image out, and ask the archive whether its copy is blank too.",
    ),
    Flag.BACKGROUND_BRIGHT: (
        "The background is bright, so black and white may be the wrong way round.",
        "Look at one of these images with `mammo preview`: background must be black.",
    ),
    Flag.NO_BREAST: (
        "No breast was found in the image, so all of it was kept.",
        "Look at one of these images with `mammo preview`.",
    ),
    Flag.SATURATED: (
        "At least 2 % of the breast's box is at its brightest value, so detail is lost there.",
        "Look at one of these images with `mammo preview`.",
    ),
    Flag.SIDE_CONFLICT: (
        "The breast lies on the other side of the image than its header makes expect.",
        "Look at the side marker in the image, and correct the source that is wrong.",
    ),
}
