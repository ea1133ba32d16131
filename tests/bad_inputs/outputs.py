"""Commands whose output finds no room, no place, or another's file."""

import errno
import fcntl
import os
import resource
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from tests.bad_inputs.case import Build, Case
from tests.bad_inputs.exams import write_checkpoint, write_images, write_manifest
from tests.bad_inputs.sound import sound_file

_SMALL = ("--recipe", "demo", "--set", "resize.size=[32, 24]", "--device", "cpu")
_NETWORK = ("--model", "test_resnet", "--epochs", "1", "--batch", "2")
_SCANNED = ("m.key", "m.parquet", "m_rejects.csv")
_ONE_GONE = "1 of 8 inputs were rejected, more than --max-rejects 5% allows"
_NO_ROOM = "File too large"
_NO_PLACE = "check that the folders named on the command line exist and can be written"

During = Callable[[Path], AbstractContextManager[object]]


def scan(folder: Path, *more: str) -> list[str]:
    """The arguments of a scan in this process."""
    return ["scan", str(folder / "images"), "-O", str(folder / "out/m.parquet"), "-j", "1", *more]


def _preprocess(folder: Path) -> list[str]:
    return ["preprocess", str(folder / "m.parquet"), str(folder / "out"), *_SMALL]


def predict(folder: Path, checkpoint: str = "model.pt") -> list[str]:
    """The arguments of a prediction by that checkpoint."""
    files = ["--ckpt", str(folder / checkpoint), "-O", str(folder / "out/p.csv")]
    return ["predict", str(folder / "m.parquet"), *files, "--device", "cpu"]


def _train(folder: Path) -> list[str]:
    return ["train", str(folder / "m.parquet"), "-O", str(folder / "out"), *_NETWORK, *_SMALL]


def _with_checkpoint(folder: Path) -> Path:
    write_checkpoint(folder)
    return write_manifest(folder)


def _full(most_bytes: int) -> During:
    """No file can become longer, as on a full disk; the system says EFBIG and not ENOSPC.

    No module is compiled meanwhile: Python keeps half of what it cannot write whole.
    """

    @contextmanager
    def during(_folder: Path) -> Iterator[None]:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "dont_write_bytecode", True)
            patch.setenv("PYTHONDONTWRITEBYTECODE", "1")
            resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, hard))
            try:
                yield
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return during


@contextmanager
def _held_by_another(folder: Path) -> Iterator[None]:
    """Another plan is at work in the folder "out"."""
    (folder / "out").mkdir()
    held = os.open(folder / "out", os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(held)


@contextmanager
def _read_only(folder: Path) -> Iterator[None]:
    """The folder "out" takes no file, as on a file system mounted for reading; also for root."""
    out, access, real = str(folder / "out"), os.access, os.open

    def refuse(path: Any, flags: int, *rest: Any, **options: Any) -> int:
        if str(path).startswith(out) and flags & os.O_CREAT:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        return real(path, flags, *rest, **options)

    def allowed(path: Any, mode: int, **options: Any) -> bool:
        return (str(path), mode) != (out, os.W_OK) and access(path, mode, **options)

    with mock.patch("os.open", refuse), mock.patch("os.access", allowed):
        yield


def _beside(build: Build, make: Callable[[Path], object]) -> Build:
    """What `build` writes, and something else in its place of the output."""

    def both(folder: Path) -> Path | list[Path]:
        make(folder)
        return build(folder)

    return both


def _one_gone(build: Build) -> Build:
    """What `build` writes, without one of the eight images of its manifest."""

    def less(folder: Path) -> Path | list[Path]:
        made = build(folder)
        (folder / "images" / "2R.dcm").unlink()
        return made

    return less


def _left_by_a_killed_scan(folder: Path) -> None:
    (folder / "out").mkdir()
    (folder / "out" / ".m.parquet.4194305.tmp").write_bytes(b"PAR1")  # no process has this number


def _hostile_patient(folder: Path) -> Path:
    (folder / "images").mkdir()
    file = sound_file(folder, PatientID="../../../out/x", AccessionNumber="/etc/x")
    return file.write(folder / "images" / "a.dcm")


_OUT_IS_FILE = _beside(write_images, lambda folder: (folder / "out").touch())
_MANIFEST_IS_FOLDER = _beside(
    write_images, lambda folder: (folder / "out/m.parquet").mkdir(parents=True)
)

CASES = [
    Case("full_disk_key", write_images, 2, "key", 69, during=_full(20), command=scan, left=()),
    Case(
        "full_disk_manifest",
        write_images,
        2,
        _NO_ROOM,
        69,
        during=_full(4000),
        command=scan,
        left=("m.key",),
    ),
    Case(
        "full_disk_shard",
        write_manifest,
        2,
        _NO_ROOM,
        69,
        during=_full(4000),
        command=_preprocess,
        left=("spec.json",),
    ),
    Case(
        "full_disk_array",
        write_manifest,
        2,
        _NO_ROOM,
        69,
        during=_full(4000),
        command=lambda folder: [*_preprocess(folder), "--format", "npy"],
        left=("spec.json",),
    ),
    Case(
        "full_disk_scores",
        _with_checkpoint,
        2,
        _NO_ROOM,
        69,
        during=_full(300),
        command=predict,
        left=("p_unfinished",),  # what was scored: with room the same command goes on
    ),
    # The run ends; training on without a checkpoint would risk more hours than it saves.
    Case(
        "full_disk_checkpoint",
        write_manifest,
        5,
        "make room and run the same command again",
        101,
        during=_full(400_000),
        command=_train,
        left=(
            *("ckpt", "config.yaml", "env.json", "log.txt", "rejects.csv", "status.json"),
            "timing.jsonl",
        ),
    ),
    Case(
        "two_runs_one_folder",
        write_manifest,
        2,
        "another run is writing to",
        77,
        during=_held_by_another,
        command=_preprocess,
        left=(),
    ),
    Case("out_below_a_file", _OUT_IS_FILE, 2, "no folder", 70, command=scan),
    Case("out_is_a_folder", _MANIFEST_IS_FOLDER, 2, "is a directory", 70, command=scan),
    Case(
        "out_read_only",
        _beside(write_images, lambda folder: (folder / "out").mkdir()),
        2,
        "cannot be written",
        70,
        during=_read_only,
        command=scan,
        left=(),
    ),
    Case(
        "shards_read_only",
        _beside(write_manifest, lambda folder: (folder / "out").mkdir()),
        2,
        _NO_PLACE,
        70,
        during=_read_only,
        command=_preprocess,
        left=(),
    ),
    # A folder that is missing is made.
    Case(
        "out_missing",
        write_images,
        0,
        "8  images",
        70,
        command=scan,
        left=_SCANNED,
    ),
    Case(
        "killed_scan_run_again",
        _beside(write_images, _left_by_a_killed_scan),
        0,
        "8  images",
        71,
        command=scan,
        left=_SCANNED,
    ),
    Case("image_gone_preprocess", _one_gone(write_manifest), 3, _ONE_GONE, 87, command=_preprocess),
    Case("image_gone_predict", _one_gone(_with_checkpoint), 3, _ONE_GONE, 87, command=predict),
    Case("image_gone_train", _one_gone(write_manifest), 3, _ONE_GONE, 87, command=_train),
    Case("source_missing", lambda folder: folder, 2, "no file or folder", 17, command=scan),
    Case(
        "hostile_patient_id",
        _hostile_patient,
        0,
        "1  images",
        78,
        command=scan,
        left=_SCANNED,
    ),
]
