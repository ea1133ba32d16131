"""Learning on real lesions: benign or malignant, by the texture of film and not by the crop's size.

The crops are of CBIS-DDSM (CC BY 3.0): Sawyer-Lee, Gimenez, Hoogi, Rubin 2016, The Cancer Imaging
Archive. Each is one codestream of a DICOM Secondary Capture, and goes the way of any mammogram.
"""

import io
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pydicom
import pytest
from PIL import Image
from pydicom.encaps import generate_frames

from tests.evidence.cross_validation import Study, mammo, scan
from tests.evidence.image_auroc import image_auroc
from tests.evidence.secondary_captures import capture, write_captures

FOLDS = 4
FLOOR = 0.62  # of the interval's lower end
SETTINGS = Path(__file__).parent / "crops"
SLICE = 120  # patients, about 270 crops


@pytest.fixture(scope="module")
def crops(tmp_path_factory: pytest.TempPathFactory, shared_data: Path, full: bool) -> Path:
    """A folder with the crops as DICOM, crops.csv that tells of each, manifest and shards."""
    folder = tmp_path_factory.mktemp("crops")
    source = shared_data / "cbis_crops"
    table = pd.read_csv(source / "labels.csv")
    if not full:
        some = table["patient_id"].drop_duplicates().sample(SLICE, random_state=0)
        table = table[table["patient_id"].isin(some)]
    written = write_captures(table, source, folder / "images")
    written.to_csv(folder / "crops.csv", index=False)
    scan(folder / "images", folder / "images" / "labels.csv", folder / "crops.parquet", FOLDS)
    recipe = ("--recipe", SETTINGS / "recipe.yaml", "--device", "cpu")
    mammo("preprocess", folder / "crops.parquet", folder / "shards", *recipe)
    return folder


@pytest.mark.slow
def test_each_crop_is_wrapped_byte_for_byte(crops: Path, shared_data: Path) -> None:
    for row in pd.read_csv(crops / "crops.csv").itertuples():
        data = pydicom.dcmread(crops / "images" / f"{row.sop_instance_uid}.dcm")
        (frame,) = generate_frames(data.PixelData, number_of_frames=1)
        jpeg = (shared_data / "cbis_crops" / row.file).read_bytes()
        assert frame[: len(jpeg)] == jpeg
        assert len(frame) - len(jpeg) == len(jpeg) % 2  # PS3.5 A.4: fragments are even


@pytest.mark.slow
def test_malignant_lesions_are_told_from_benign_ones_in_new_patients(
    crops: Path, full: bool, record_evidence: Callable
) -> None:
    options = ("--config", str(SETTINGS / "train.yaml"), *(() if full else ("--epochs", "2")))
    study = Study(crops / "crops.parquet", crops / "shards", options)
    scores, seconds = study.out_of_fold(crops / "runs", range(FOLDS) if full else range(1))
    told = pd.read_csv(crops / "crops.csv").set_index("sop_instance_uid")
    kinds = scores.groupby(scores["image_id"].map(told["type"]))
    of_all, of_kind = image_auroc(scores), {kind: image_auroc(k) for kind, k in kinds}
    record_evidence(
        "crops",
        {
            "crops": len(scores),
            "patients": int(scores["patient_id"].nunique()),
            "image_auroc": of_all,
            **{f"image_auroc_{kind}": found for kind, found in of_kind.items()},
            "cpu_seconds_by_fold": seconds,
        },
    )
    if full:
        assert of_all["low"] >= FLOOR


def test_a_capture_states_what_its_codestream_holds() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (37, 53), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG")
    row = SimpleNamespace(sop_instance_uid="1.2.3", patient_id="P", side="LEFT", view="CC")
    data = pydicom.dcmread(io.BytesIO(capture(file.getvalue(), row)))
    assert (data.Rows, data.Columns, data.ImageLaterality) == (37, 53, "L")
    assert np.array_equal(data.pixel_array, np.asarray(Image.open(file)))
