"""Every format, read by libraries that others read it with; and the same bytes every time."""

import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file

from dali_pipelines.recipe import Recipe
from dali_pipelines.records import ImageRecord
from dali_pipelines.shards.payloads import encoding_of
from dali_pipelines.shards.preprocess import preprocess
from dali_pipelines.shards.rows import read_rows
from dali_pipelines.shards.settings import DTYPES, ShardSettings

cv2 = pytest.importorskip("cv2")

EVERY = [(name, dtype) for name, dtypes in DTYPES.items() for dtype in dtypes]
NAME = "0123456789abcdef" * 2


def of_kind(format_: str, dtype: str) -> ShardSettings:
    return ShardSettings(format_, dtype, images=2, batch=2)


@pytest.mark.parametrize(("format_", "dtype"), EVERY)
def test_an_image_is_read_as_it_was_written_and_written_the_same_again(
    format_: str, dtype: str
) -> None:
    values = np.random.default_rng(0).normal(size=(1, 37, 29))
    image = (values * 100).astype(dtype) if dtype.startswith("u") else values.astype(dtype)
    encode, decode, _ = encoding_of(of_kind(format_, dtype))
    payload = encode(image)
    again = decode(payload, image.shape, image.dtype)
    assert again.dtype == image.dtype
    assert again.tobytes() == image.tobytes()
    assert bytes(encode(again)) == bytes(payload)
    with pytest.raises((ValueError, OSError)):
        decode(bytes(payload), (1, 37, 28), image.dtype)


@pytest.mark.parametrize(
    ("format_", "dtype"), [("png", "uint16"), ("png16", "uint8"), ("tiff", "float32")]
)
def test_a_picture_format_has_one_type(format_: str, dtype: str) -> None:
    with pytest.raises(ValueError, match=f"^--format {format_} holds --dtype .*, not {dtype}$"):
        ShardSettings(format_, dtype)


@pytest.fixture
def expected(records: list[ImageRecord], noise: Callable) -> dict[str, np.ndarray]:
    """The stored values, (8, 6) uint16, of the first three images."""
    return {r.image_id: noise(16, (8, 6), seed=k) for k, r in enumerate(records[:3])}


def test_safetensors_as_their_own_library_reads_them(
    records: list[ImageRecord], recipe: Recipe, expected: dict[str, np.ndarray], tmp_path: Path
) -> None:
    preprocess(records[:3], recipe, tmp_path / "out", of_kind("shards", "uint16"))
    files = [tmp_path / f"out/shard-0000{k}/images.safetensors" for k in range(2)]
    images = np.concatenate([load_file(file)["images"] for file in files])
    assert np.array_equal(images[:, 0], np.stack(list(expected.values())))
    with safe_open(files[1], "numpy") as file:
        assert file.metadata() == {"recipe": recipe.hash}
        assert file.get_slice("images").get_shape() == [1, 1, 8, 6]


@pytest.mark.parametrize(
    ("format_", "suffix"), [("npy", "npy"), ("png", "png"), ("png16", "png"), ("tiff", "tif")]
)
def test_a_file_an_image_as_opencv_and_numpy_read_it(
    format_: str,
    suffix: str,
    records: list[ImageRecord],
    recipe: Recipe,
    expected: dict[str, np.ndarray],
    tmp_path: Path,
) -> None:
    dtype = DTYPES[format_][0] if format_ != "npy" else "uint16"
    preprocess(records[:3], recipe, tmp_path / "out", of_kind(format_, dtype))
    found = {file.stem: file for file in (tmp_path / "out").rglob(f"*.{suffix}")}
    assert found.keys() == expected.keys()
    for name, file in found.items():
        image = np.load(file)[0] if suffix == "npy" else cv2.imread(str(file), -1)
        assert image.dtype == dtype
        eighth = np.rint(expected[name] / 65535 * 255)
        assert np.array_equal(image, eighth if dtype == "uint8" else expected[name])


@pytest.mark.parametrize(("dtype", "suffix"), [("uint16", "png"), ("float32", "npy")])
def test_a_webdataset_as_tarfile_reads_it(
    dtype: str,
    suffix: str,
    records: list[ImageRecord],
    recipe: Recipe,
    expected: dict[str, np.ndarray],
    tmp_path: Path,
) -> None:
    shown = replace(recipe, resize=replace(recipe.resize, mean=0.0, std=1.0))
    preprocess(records[:3], shown, tmp_path / "out", of_kind("webdataset", dtype))
    names = list(expected)
    with tarfile.open(tmp_path / "out/shard-00000/images.tar") as tar:
        assert tar.getnames() == [f"{n}.{e}" for n in names[:2] for e in ("json", suffix)]
        assert {(m.mtime, m.uid, m.gid, m.uname, m.mode) for m in tar} == {(0, 0, 0, "", 0o644)}
        content = {m.name: tar.extractfile(m).read() for m in tar}
    told = json.loads(content[f"{names[1]}.json"])
    assert told["image_id"] == names[1]
    assert told["recipe_hash"] == shown.hash
    assert [told[f"crop_{side}"] for side in "xywh"] == [0, 0, 6, 8]
    data = content[f"{names[1]}.{suffix}"]
    if suffix == "png":
        image = cv2.imdecode(np.frombuffer(data, np.uint8), -1)
        assert np.array_equal(image, expected[names[1]])
    else:
        image = np.load(io.BytesIO(data))[0]
        assert np.abs(image - expected[names[1]] / 65535).max() < 1e-6


def test_a_row_tells_where_its_image_lies(
    records: list[ImageRecord], recipe: Recipe, expected: dict[str, np.ndarray], tmp_path: Path
) -> None:
    preprocess(records[:3], recipe, tmp_path / "out", of_kind("shards", "uint16"))
    rows = read_rows(tmp_path / "out/shard-00000").at(1)
    content = (tmp_path / "out/shard-00000/images.safetensors").read_bytes()
    data = content[rows["offset"] : rows["offset"] + rows["bytes"]]
    assert data == expected[rows["image_id"]].tobytes()
