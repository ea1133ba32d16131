"""The other peers give sane images."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, JPEGLosslessSV1

from benchmarks.job import Job
from benchmarks.peers import dicomsdl_opencv, pydicom_values, rsna_notebook, torch_dataloader


def test_pydicom_reads_the_stored_values(make_job: Callable[..., Job]) -> None:
    path = make_job("raw", 1).records[0].location.path
    values, dataset = pydicom_values.read_values(path)
    assert np.array_equal(values, dcmread(path).pixel_array)
    assert dataset.Rows == 128
    assert pydicom_values.name_decoder(path).startswith("pydicom ")


def test_the_fastest_decoder_that_is_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    offered = {"available_plugins": ("gdcm", "pillow", "pylibjpeg")}
    monkeypatch.setattr(pydicom_values, "get_decoder", lambda uid: type("Fake", (), offered))
    for uid, name in ((JPEGLosslessSV1, "pylibjpeg"), (ExplicitVRLittleEndian, "")):
        dataset.file_meta.TransferSyntaxUID = uid
        assert pydicom_values.choose_plugin(dataset) == name
    offered["available_plugins"] = ("pillow",)
    dataset.file_meta.TransferSyntaxUID = JPEGLosslessSV1
    assert pydicom_values.choose_plugin(dataset) == ""


def test_inverse_images_are_turned_round() -> None:
    dataset = Dataset()
    values = np.array([[1, 5]], np.uint16)
    dataset.PhotometricInterpretation = "MONOCHROME2"
    assert pydicom_values.invert_if_inverse(values, dataset).tolist() == [[1, 5]]
    dataset.PhotometricInterpretation = "MONOCHROME1"
    assert pydicom_values.invert_if_inverse(values, dataset).tolist() == [[4, 0]]


def test_eight_bits_by_hand() -> None:
    """255 * 1 / 4 = 63.75, which is cut."""
    values = np.array([[10, 11, 14]], np.uint16)
    assert rsna_notebook.to_uint8(values, inverse=False).tolist() == [[0, 63, 255]]
    assert rsna_notebook.to_uint8(values, inverse=True).tolist() == [[255, 191, 0]]


def test_the_brighter_half_comes_to_the_left() -> None:
    image = np.array([[1, 2, 3]], np.uint8)
    assert rsna_notebook.face_left(image).tolist() == [[3, 2, 1]]
    assert rsna_notebook.face_left(image[:, ::-1]).tolist() == [[3, 2, 1]]


def test_the_box_above_five_of_255() -> None:
    pytest.importorskip("cv2", reason="OpenCV is not installed (extra bench)")
    image = np.zeros((10, 10), np.uint8)
    image[2:7, 3:9] = 6
    image[8, 1:3] = 255
    image[2:7, 9] = 5
    assert np.array_equal(rsna_notebook.crop(image), image[2:7, 3:9])
    with pytest.raises(ValueError, match="above 5"):
        rsna_notebook.crop(np.zeros((10, 10), np.uint8))


def test_the_notebook_gives_a_small_bright_image(make_job: Callable[..., Job]) -> None:
    pytest.importorskip("cv2", reason="OpenCV is not installed (extra bench)")
    path = make_job("raw", 1).records[0].location.path
    image = rsna_notebook.convert(path, Path("unused"))
    assert (image.dtype, image.shape) == (np.uint8, (512, 512))
    assert image.max() > 200
    assert image[:, :256].mean() > image[:, 256:].mean()


def test_dicomsdl_and_pydicom_see_one_image(make_job: Callable[..., Job], tmp_path: Path) -> None:
    pytest.importorskip("dicomsdl", reason="dicomsdl is not installed (extra bench)")
    cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed (extra bench)")
    for syntax in ("j2k", "jpeg_sv1"):
        record = make_job(syntax, 1).records[0]
        dataset = dcmread(record.location.path)
        inverse = dataset.PhotometricInterpretation == "MONOCHROME1"
        wanted = rsna_notebook.to_uint8(dataset.pixel_array, inverse=inverse)
        assert np.array_equal(dicomsdl_opencv.read_uint8(record.location.path), wanted)
        dicomsdl_opencv.convert(record.location.path, tmp_path / syntax, size=(64, 32))
        written = cv2.imread(str(tmp_path / f"{syntax}.png"), cv2.IMREAD_UNCHANGED)
        assert (written.dtype, written.shape) == (np.uint8, (64, 32))


def test_the_dataset_gives_the_range_of_a_network(make_job: Callable[..., Job]) -> None:
    paths = [record.location.path for record in make_job("raw", 3).records]
    files = torch_dataloader.DicomFiles(paths, (64, 32))
    assert len(files) == 3
    image = files[0]
    assert (image.dtype, tuple(image.shape)) == (torch.float32, (1, 64, 32))
    assert 0 <= float(image.min()) < 0.1
    assert 0.4 < float(image.max()) <= 1
