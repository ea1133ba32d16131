"""Pixel values and a HeaderSpec -> one DICOM file, in any of the transfer syntaxes.

The same values and the same HeaderSpec give the same bytes.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydicom import dcmwrite
from pydicom.encaps import encapsulate

from dali_pipelines.phantom.encode import NATIVE, encode_frame
from dali_pipelines.phantom.header import HeaderSpec, build_header


def write_dicom(path: Path, values: NDArray[np.uint16], header: HeaderSpec) -> None:
    """Write stored values (H, W) as a single-frame DICOM file, replacing `path`.

    The file takes what `header` says, also where that makes it odd; values that do not fit in the
    precision raise ConfigError.
    """
    dataset = build_header(header, (values.shape[0], values.shape[1]))
    frame = encode_frame(
        values,
        _coded_precision(header),
        header.syntax,
        predictor=header.predictor,
        tables_first=header.tables_first,
    )
    if header.syntax in NATIVE:
        dataset.PixelData = frame + b"\0" * (len(frame) % 2)
        dataset["PixelData"].VR = "OB" if header.precision <= 8 else "OW"
    else:
        basic = header.offset_table == "basic"
        dataset.PixelData = encapsulate([frame], header.fragments, has_bot=basic)
        dataset["PixelData"].VR = "OB"
        dataset["PixelData"].is_undefined_length = True
    dcmwrite(path, dataset, enforce_file_format=True)


def _coded_precision(header: HeaderSpec) -> int:
    """What to encode with: native samples and RLE have no precision of their own."""
    if header.syntax in (*NATIVE, "rle"):
        return header.precision
    return header.stream_precision or header.precision
