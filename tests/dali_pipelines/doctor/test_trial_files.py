"""The files that decoders are tried on: what they claim to be, by independent readers."""

import warnings
from pathlib import Path

import numpy as np
import openjpeg
import pydicom
import pytest
from pydicom.encaps import generate_frames

from dali_pipelines.codestream.stream import read_stream_info
from dali_pipelines.dicom.uids import ENCAPSULATED_SYNTAXES, NATIVE_SYNTAXES
from dali_pipelines.doctor.trial_files import Trial, make_trials, write_trial

TRIALS = {trial.name: trial for trial in make_trials()}
LACKING = {"jpeg_extended"}  # no decoder of Python's takes 12 bits but our own; DCMTK does


def test_every_syntax_has_its_trial() -> None:
    assert {trial.uid for trial in TRIALS.values()} == {*ENCAPSULATED_SYNTAXES, *NATIVE_SYNTAXES}


def read_elsewhere(path: Path, trial: Trial) -> np.ndarray:
    """The values by pydicom, or by OpenJPEG itself where pydicom finds no decoder."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the JP2 box, which is there on purpose
        dataset = pydicom.dcmread(path)
        if trial.name.startswith("htj2k"):
            return openjpeg.decode(next(generate_frames(dataset.PixelData, number_of_frames=1)))
        return dataset.pixel_array


@pytest.mark.parametrize("name", sorted(TRIALS.keys() - LACKING))
def test_other_decoders_read_what_was_written(name: str, tmp_path: Path) -> None:
    trial = TRIALS[name]
    write_trial(tmp_path / "a.dcm", trial)
    values = read_elsewhere(tmp_path / "a.dcm", trial).astype(np.int64)
    off = np.abs((values & ((1 << trial.bits) - 1)) - trial.values)
    assert off.max() <= trial.tolerance
    assert (off.max() > 0) == (trial.tolerance > 0)  # what is called lossy loses something


@pytest.mark.parametrize("trial", [t for t in TRIALS.values() if "jpeg_lossless" in t.name])
def test_lossless_jpegs_differ_in_how_they_predict(trial: Trial) -> None:
    info = read_stream_info(trial.frame)
    last = trial.name.rpartition("_")[2]
    assert (info.predictor, info.point_transform) == ((1, 2) if last == "pt" else (int(last), 0))
    assert info.precision == 12


def test_the_signed_one_has_both_signs() -> None:
    values = TRIALS["j2k_signed"].values
    assert {0, 1} == set((values >> 11).ravel().tolist())
    assert read_stream_info(TRIALS["j2k_signed"].frame).signed
