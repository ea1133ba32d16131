"""A thousand images, one in twenty damaged: the good ones arrive, once and in order, no bad one."""

import csv
import os
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dali_pipelines.catalog.build import CatalogSettings, plan_catalog, write_catalog
from dali_pipelines.loader import Loader
from dali_pipelines.loader_settings import LoaderSettings
from dali_pipelines.manifest_rows import to_records
from dali_pipelines.phantom.header import HeaderSpec, make_uid
from dali_pipelines.phantom.write import write_dicom
from dali_pipelines.pixel_settings import ResizeSettings
from dali_pipelines.plan import shuffled_blocks
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import ImageRecord
from dali_pipelines.rejects.table import write_rejects

pytestmark = pytest.mark.slow

COUNT, EVERY, BATCH = 1000, 20, 8
SYNTAXES = ("j2k", "jpeg_sv1", "htj2k", "jpegls", "jpeg_lossless")
RECIPE = Recipe("test", resize=ResizeSettings(size=(24, 16)))


def damage_garbage(data: bytearray, rng: np.random.Generator) -> None:
    data[:] = rng.bytes(len(data))


def damage_truncated(data: bytearray, rng: np.random.Generator) -> None:
    data[len(data) // 2 :] = bytes(len(data) - len(data) // 2)


def damage_noise_inside(data: bytearray, rng: np.random.Generator) -> None:
    """Bytes that are no markers, in the middle of the entropy-coded data."""
    start, end = len(data) // 2, len(data) // 2 + len(data) // 8
    data[start:end] = bytes(rng.integers(1, 0x7F, end - start, dtype=np.uint8))


def damage_header_only(data: bytearray, rng: np.random.Generator) -> None:
    data[150:] = bytes(len(data) - 150)


Damage = Callable[[bytearray, np.random.Generator], None]
DAMAGES: tuple[Damage, ...] = (
    damage_garbage,
    damage_truncated,
    damage_noise_inside,
    damage_header_only,
)


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[ImageRecord]:
    folder = tmp_path_factory.mktemp("endurance")
    rng = np.random.default_rng(0)
    (folder / "in").mkdir()
    for k in range(COUNT):
        values = rng.integers(0, 4096, (48 + k % 7, 40 + k % 5)).astype(np.uint16)
        syntax = SYNTAXES[k % len(SYNTAXES)]
        spec = HeaderSpec(syntax=syntax, precision=12, sop_uid=make_uid(f"endurance {k}"))
        write_dicom(folder / "in" / f"{k:04d}.dcm", values, spec)
    catalog = write_catalog(
        plan_catalog([folder / "in"], CatalogSettings(folder / "manifest.parquet"))
    )
    return to_records(catalog.frame)


def damage_all(records: list[ImageRecord]) -> dict[str, Damage]:
    """Damage one file of twenty in place, size and time kept, each kind in turn; what by id."""
    rng = np.random.default_rng(1)
    done = {}
    for turn in range(COUNT // EVERY):  # every kind of damage meets every syntax
        record = records[EVERY * turn + turn // len(DAMAGES) % len(SYNTAXES)]
        path, ((start, length), *rest) = Path(record.location.path), record.location.fragments
        assert not rest
        content = bytearray(path.read_bytes())
        part = content[start : start + length]
        damage = DAMAGES[turn % len(DAMAGES)]
        damage(part, rng)
        content[start : start + length] = part
        path.write_bytes(content)
        os.utime(path, ns=(record.location.mtime_ns, record.location.mtime_ns))
        done[record.image_id] = damage
    return done


def epoch(loader: Loader, number: int) -> list[tuple[str, int]]:
    """(image_id, checksum of its tensor) of each image delivered, in order."""
    blocks = shuffled_blocks(None, COUNT, BATCH, seed=7, epoch=number)
    delivered = []
    for row, batch in zip(blocks, loader.run(blocks), strict=True):
        assert batch.indices.tolist() == row.tolist()
        for place in np.flatnonzero(batch.valid.numpy()):
            checksum = zlib.crc32(batch.images[place].numpy().tobytes())
            delivered.append((batch.image_ids[place], checksum))
    return delivered


# imagecodecs prints what OpenJPH throws in a thread of ours; in a child nobody sees it
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("isolation", ["thread", "process"])
@pytest.mark.parametrize("verify", [True, False])
def test_every_good_image_arrives_once_and_every_bad_one_is_named(
    records: list[ImageRecord], isolation: str, verify: bool, tmp_path: Path
) -> None:
    settings = LoaderSettings(isolation=isolation, verify=verify)
    before = {record.image_id: Path(record.location.path).read_bytes() for record in records}
    with Loader(records, RECIPE, settings) as loader:
        whole = dict(epoch(loader, 0))
        assert len(whole) == COUNT
        assert not loader.rejects
    try:
        damages = damage_all(records)
        assert len(damages) == COUNT // EVERY
        noisy = {name for name, damage in damages.items() if damage is damage_noise_inside}
        seen_by_hash_only = noisy if not verify else set()
        with Loader(records, RECIPE, settings) as loader:
            for number in (1, 2):
                order = shuffled_blocks(None, COUNT, BATCH, seed=7, epoch=number).ravel()
                ids = [records[k].image_id for k in order if k >= 0]
                wanted = [(name, whole[name]) for name in ids if name not in damages]
                delivered = epoch(loader, number)
                assert [row for row in delivered if row[0] not in seen_by_hash_only] == wanted
            write_rejects(loader.rejects, tmp_path / "rejects.csv")
    finally:
        for record in records:
            Path(record.location.path).write_bytes(before[record.image_id])
            os.utime(record.location.path, ns=(record.location.mtime_ns, record.location.mtime_ns))
    with (tmp_path / "rejects.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    named = [row["image_id"] for row in rows]
    assert len(named) == len(set(named))
    assert set(damages) - seen_by_hash_only <= set(named) <= set(damages)
    assert {row["code"] for row in rows} <= {"E_CORRUPT", "E_TRUNCATED", "E_CHANGED"}
    if not verify:  # then some noise is met by a decoder only
        assert "decode" in {row["stage"] for row in rows}
