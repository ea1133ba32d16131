"""Tag values stay in the record: nothing is printed, logged, warned or put into a message."""

import logging
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pydicom.config
import pytest

from dali_pipelines.records import ImageRecord
from dali_pipelines.verdicts import RejectError

CANARY = "Canary^Jane"
Read = Callable[..., ImageRecord]


@pytest.fixture
def spoken(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Any:
    """spoken() -> all that was printed and logged so far."""
    caplog.set_level(logging.DEBUG)
    logging.getLogger("pydicom").setLevel(logging.DEBUG)

    def collect() -> str:
        streams = capfd.readouterr()
        return caplog.text + streams.out + streams.err

    return collect


def canaries(new_dicom: Any) -> list[Any]:
    """Files whose every text holds the canary, each with one reason for pydicom to speak."""
    texts = dict.fromkeys(("PatientName", "PatientID", "AccessionNumber", "Manufacturer"), CANARY)
    odd: tuple[dict[str, Any], ...] = (
        {},
        {"PatientBirthDate": CANARY},
        {"SOPInstanceUID": CANARY, "StudyInstanceUID": CANARY},
        {"WindowCenter": CANARY},
        {"RescaleSlope": CANARY},
        {"VOILUTFunction": CANARY},
        {"NumberOfFrames": CANARY},
        {"PhotometricInterpretation": CANARY},
        {"SOPClassUID": CANARY},
        {"PresentationIntentType": CANARY},
        {"ViewPosition": CANARY, "ImageLaterality": CANARY, "PatientAge": CANARY},
        {"ViewCodeSequence": [{"CodeValue": CANARY, "CodingSchemeDesignator": CANARY}]},
        {"ViewCodeSequence": CANARY.encode()},
        {"SpecificCharacterSet": CANARY, "PatientID": "Canary^\xe4"},
        {"ImageType": CANARY, "PixelSpacing": CANARY},
        {"Rows": CANARY.encode()},
    )
    files = [new_dicom(**{**texts, **tags}) for tags in odd]
    for change in ({"syntax": CANARY}, {"implicit": True}, {"pixels": None}, {"pixels": [b"x"]}):
        file = new_dicom(**texts)
        vars(file).update(change)
        files.append(file)
    return files


def test_nothing_is_said_about_values(
    new_dicom: Any, read_dicom: Read, spoken: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pydicom.config, "debugging", True)
    said = []
    accepted = 0
    for file in canaries(new_dicom):
        try:
            record = read_dicom(file)
        except RejectError as error:
            said += [str(error), repr(error)]
        else:
            accepted += 1
            said += [record.image_id, *record.flags]
        whole = file.encode()
        for cut in (len(whole) // 3, len(whole) // 2, len(whole) * 2 // 3):
            with pytest.raises(RejectError) as caught:
                read_dicom(whole[:cut])
            said.append(str(caught.value))
    assert "Canary" not in "\n".join(said)
    assert spoken() == ""
    assert accepted >= 8


def test_pydicom_would_have_spoken(new_dicom: Any, spoken: Any) -> None:
    file = new_dicom(SOPInstanceUID=CANARY)
    with pytest.warns(UserWarning, match=r"Canary\^Jane"):
        _ = pydicom.dcmread(BytesIO(file.encode())).SOPInstanceUID
    assert CANARY in spoken()


def test_name_and_birth_date_are_not_in_the_record(new_dicom: Any, read_dicom: Read) -> None:
    record = read_dicom(new_dicom(PatientName=CANARY, PatientBirthDate="19500131"))
    assert CANARY not in repr(record)
    assert "1950" not in repr(record)
