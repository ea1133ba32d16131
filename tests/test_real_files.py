"""The real files beside the checkout: every pixel as its reference decoder gives it, and a score.

Paths and patients of these files do not enter the repository; only facts about their decoding do.
"""

import csv
import subprocess
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pydicom
import pytest

from dali_pipelines.catalog.build import CatalogSettings, plan_catalog, write_catalog
from dali_pipelines.cpu.decode import decode
from dali_pipelines.dicom.image import ReadOptions, read_image
from dali_pipelines.grayscale import display_table
from dali_pipelines.reader import read_encoded
from dali_pipelines.records import ImageRecord
from dali_pipelines.rejects.table import read_rejects, rejects_beside
from dali_pipelines.splits import assign_folds, require_no_overlap
from dali_pipelines.storage.archive import Source
from dali_pipelines.verdicts import Reason, RejectError
from dali_pipelines.voi_settings import Voi

SINGLE_FRAME = [
    *(f"mammograms/{name}.dcm" for name in ("GH133", "MG1_J2KI", "MG_Explicit_Little")),
    "mammograms/OutOfBoundsOverlay.dcm",
    *(f"conformance/jpeg_lossless_sel1to7/jpeg_lossless_sel{k}.dcm" for k in range(1, 8)),
    *(
        f"conformance/nema_wg04/{codec}/{image}_{codec}"
        for codec in ("J2KI", "J2KR", "JLSL", "JLSN", "JPLL", "RLE")
        for image in ("CT1", "MR1", "NM1", "RG3")
    ),
    "conformance/weasis/imageForPrLUTs.dcm",
    "conformance/weasis/signed-raw-9bit.dcm",
]
JPEG_EXTENDED = [  # pydicom opens none of them, but their headers have a gray scale as well
    "mammograms/MG1_JPLY.dcm",
    *(f"conformance/nema_wg04/JPLY/{image}_JPLY" for image in ("MR1", "NM1", "RG3")),
]
MULTI_FRAME = [
    "mammograms/jpeg2k_3d.dcm",
    "conformance/jpeg_lossless_sel1to7/jpeg_lossless_sel1-8bit.dcm",
    "conformance/weasis/jpeg2000-multiframe-multifragments.dcm",
]
KEY = b"k" * 32


def read(path: Path) -> ImageRecord:
    return read_image(Source(str(path)), KEY, ReadOptions(any_modality=True))


@pytest.mark.parametrize("name", SINGLE_FRAME)
def test_decoded_values_are_those_of_pydicom(name: str, shared_data: Path) -> None:
    record = read(shared_data / name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the reference, about tags of these files
        reference = pydicom.dcmread(shared_data / name).pixel_array
    pattern = reference.astype(np.int64) & ((1 << record.grayscale.bits) - 1)
    assert np.array_equal(decode(read_encoded(record)).values, pattern)


def test_the_film_that_pydicom_cannot_open_is_as_dcmtk_gives_it(
    shared_data: Path, tmp_path: Path, dcmtk: Path
) -> None:
    film, plain = shared_data / "mammograms/MG1_JPLY.dcm", tmp_path / "plain.dcm"
    subprocess.run([dcmtk / "dcmdjpeg", film, plain], check=True, capture_output=True)
    reference = pydicom.dcmread(plain).pixel_array
    assert np.array_equal(decode(read_encoded(read(film))).values, reference)


@pytest.mark.parametrize("name", MULTI_FRAME)
def test_objects_of_several_frames_are_skipped_with_that_reason(
    name: str, shared_data: Path
) -> None:
    with pytest.raises(RejectError) as caught:
        read(shared_data / name)
    assert caught.value.reason is Reason.MULTIFRAME


def c11_display(header: pydicom.Dataset, patterns: np.ndarray, bits: int) -> np.ndarray:
    """Display values 0 ... 1 straight from the header's tags by PS3.3 C.11, in float64."""
    values = patterns.astype(np.float64)
    if header.PixelRepresentation:
        values = np.where(values >= 2 ** (bits - 1), values - 2**bits, values)
    low = -(2.0 ** (header.BitsStored - 1)) if header.PixelRepresentation else 0.0
    span = np.array([low, low + 2.0**header.BitsStored - 1])
    slope, intercept = (float(header.get(f"Rescale{name}", d)) for name, d in _NO_RESCALE)
    values, span = values * slope + intercept, span * slope + intercept
    window = (header.get("WindowCenter"), header.get("WindowWidth"))
    if "VOILUTSequence" in header:
        entries, first, depth = header.VOILUTSequence[0].LUTDescriptor
        data = np.asarray(header.VOILUTSequence[0].LUTData, dtype=np.float64)
        shown = data[np.clip(values - first, 0, entries - 1).astype(int)] / (2.0**depth - 1)
    elif window[0] is not None:
        center, width = (float(np.atleast_1d(value)[0]) for value in window)
        if header.get("VOILUTFunction") == "SIGMOID":
            shown = 1 / (1 + np.exp(-4 * (values - center) / width))
        else:
            shown = np.clip((values - (center - 0.5)) / (width - 1) + 0.5, 0, 1)
    else:
        shown = np.clip((values - span[0]) / (span[1] - span[0]), 0, 1)
    return 1 - shown if header.PhotometricInterpretation == "MONOCHROME1" else shown


_NO_RESCALE = (("Slope", 1), ("Intercept", 0))


@pytest.mark.parametrize("name", [*SINGLE_FRAME, *JPEG_EXTENDED])
def test_the_table_of_every_file_is_that_of_the_standard(name: str, shared_data: Path) -> None:
    record = read(shared_data / name)
    header = pydicom.dcmread(shared_data / name, stop_before_pixels=True)
    patterns = np.arange(1 << record.grayscale.bits)
    shown = c11_display(header, patterns, record.grayscale.bits)
    if record.grayscale.padding is not None:
        low, high = record.grayscale.padding
        shown[low : high + 1] = 0
    difference = display_table(record.grayscale, Voi()) - shown * 65535
    assert np.abs(difference).max() <= 0.5 + 1e-6


@pytest.fixture
def manifest(shared_data: Path, tmp_path: Path) -> Path:
    """The scanned mammograms, labeled by turns so that they can be split."""
    settings = CatalogSettings(tmp_path / "manifest.parquet")
    catalog = write_catalog(plan_catalog([shared_data / "mammograms"], settings))
    uids = sorted(catalog.frame["sop_instance_uid"])
    with (tmp_path / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [("sop_instance_uid", "cancer"), *zip(uids, [0, 1] * 9, strict=False)]
        )
    settings = CatalogSettings(tmp_path / "manifest.parquet", labels=(tmp_path / "labels.csv",))
    write_catalog(plan_catalog([shared_data / "mammograms"], settings))
    return settings.manifest


def test_a_scan_of_the_mammograms_explains_every_reject(manifest: Path) -> None:
    rejects = read_rejects(rejects_beside(manifest))
    assert [(Path(r.path).name, r.reason) for r in rejects] == [
        ("jpeg2k_3d.dcm", Reason.MULTIFRAME)
    ]
    assert len(pd.read_parquet(manifest)) == 5


def test_real_mammograms_are_split_and_scored(manifest: Path, tmp_path: Path) -> None:
    from dali_pipelines.manifest import read_manifest, write_manifest
    from dali_pipelines.recipe import load_recipe
    from trainer.networks.arguments import model_args
    from trainer.networks.build import build_model
    from trainer.networks.settings import ModelSettings
    from trainer.prediction.predict import PredictOptions, predict
    from trainer.prediction.scorers import Scorer, Scorers

    frame = assign_folds(read_manifest(manifest), folds=2, seed=0)
    require_no_overlap(frame)
    write_manifest(frame, manifest)
    recipe = load_recipe("demo")
    args = model_args(ModelSettings("test_resnet"), recipe.channels, recipe.size)
    scores = predict(
        frame, Scorers((Scorer(build_model(args), recipe),)), PredictOptions(KEY, "cpu")
    )
    assert scores.rejects == []
    assert scores.table["image_id"].tolist() == frame["image_id"].tolist()
    assert scores.table["prob"].between(0, 1).all()
