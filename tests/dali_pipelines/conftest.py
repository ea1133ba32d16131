"""Encoded images without a file, and DICOM files read as the scan does."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dali_pipelines.codestream.stream import bare_codestream, read_stream_info
from dali_pipelines.dicom.image import ReadOptions, read_image
from dali_pipelines.phantom.encode import SYNTAXES, encode_frame
from dali_pipelines.records import Grayscale, ImageRecord, ImageTags, Location, StreamInfo
from dali_pipelines.stages import Encoded
from dali_pipelines.storage.archive import Source
from tests.dicom_file import DicomFile

TEXT_TAGS = [f.name for f in dataclasses.fields(ImageTags) if f.type is str or f.type == "str"]
EncodedOf = Callable[..., Encoded]


@pytest.fixture(scope="session")
def encoded_of() -> EncodedOf:
    """encoded_of(values, syntax, precision) -> Encoded, as the reader would give it."""

    def make(values: np.ndarray, syntax: str, precision: int, predictor: int = 1) -> Encoded:
        data = encode_frame(values, precision, syntax, predictor=predictor)
        height, width = values.shape
        if syntax in {"raw", "rle"}:
            stream = StreamInfo(syntax, height, width, 1, precision, signed=False)
        else:
            stream = read_stream_info(data)
            data = bytes(bare_codestream(memoryview(data), stream))
        allocated = 8 if precision <= 8 else 16
        tags = ImageTags(
            **dict.fromkeys(TEXT_TAGS, ""),
            view_modifiers=(),
            implant=None,
            age_years=None,
            rows=height,
            columns=width,
            bits_allocated=allocated,
            bits_stored=precision,
            high_bit=precision - 1,
            signed=False,
            spacing_mm=None,
        )
        tags = dataclasses.replace(tags, transfer_syntax_uid=SYNTAXES[syntax])
        record = ImageRecord(
            image_id=f"{syntax}-{precision}",
            tags=tags,
            location=Location("memory", "", "range", ((0, len(data)),), len(data), 0),
            stream=stream,
            grayscale=Grayscale(bits=stream.precision, bits_stored=precision),
        )
        return Encoded(np.frombuffer(data, np.uint8), record)

    return make


@pytest.fixture(scope="session")
def new_dicom() -> type[DicomFile]:
    """new_dicom(Rows=4, ...) -> a file to change, and to encode() or write(path)."""
    return DicomFile


@pytest.fixture
def read_dicom(tmp_path: Path) -> Callable[..., ImageRecord]:
    """read_dicom(file, hash=True, ...) -> what the scan makes of a DicomFile or of its bytes."""

    def read(file: DicomFile | bytes, **options: Any) -> ImageRecord:
        data = file if isinstance(file, bytes) else file.encode()
        (tmp_path / "image.dcm").write_bytes(data)
        source = Source(str(tmp_path / "image.dcm"))
        return read_image(source, b"key of the tests", ReadOptions(**options))

    return read
