"""One shard: prepared images and a table of rows, committed by one rename.

A shard folder holds `images.safetensors` (tensor "images") or `images.npy`, (N, C, H, W), and
`rows.parquet` with one row for each planned image, also those that gave none. Rows name an image
by its `image_id` alone, so a shard may leave the house that its paths and patients stay in.
"""

import errno
import os
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from dali_pipelines.atomic import sync
from dali_pipelines.plan import EMPTY
from dali_pipelines.records import Batch, ImageRecord, Roi
from dali_pipelines.verdicts import Reason, Reject, Status

Format = Literal["safetensors", "npy"]
DType = Literal["uint8", "uint16", "float16", "float32"]
INTEGER_MAX: Final = {"uint8": 255, "uint16": 65535}
_NO_ROW: Final = -1


@dataclass(frozen=True, slots=True)
class ShardWriter:
    """Writes shards of one kind. Integers hold display values over their full range."""

    format: Format
    dtype: DType
    recipe_hash: str

    def commit(
        self,
        folder: Path,
        batches: Iterable[Batch],
        records: Sequence[ImageRecord],
        rejects: Mapping[str, Reject],
    ) -> None:
        """Write `folder` aside and rename it into place: it exists whole or not at all.

        `rejects` is looked up by image_id after the last batch, so it may fill up meanwhile.
        """
        images, rows = [], []
        for batch in batches:
            valid = batch.valid.numpy()
            images.append(self._as_stored(batch.images.float().cpu().numpy()[valid]))
            rows += [
                (int(index), roi if ok else None)
                for index, ok, roi in zip(batch.indices, valid, batch.rois, strict=True)
                if index != EMPTY
            ]
        aside = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        try:
            self._write_images(aside, np.concatenate(images))
            self._write_rows(aside, rows, records, rejects)
            for file in aside.iterdir():
                sync(file)
            shutil.rmtree(folder, ignore_errors=True)  # one that is not settled
            aside.rename(folder)
            sync(folder.parent)
        finally:
            shutil.rmtree(aside, ignore_errors=True)

    def _write_rows(
        self,
        folder: Path,
        rows: Sequence[tuple[int, Roi | None]],
        records: Sequence[ImageRecord],
        rejects: Mapping[str, Reject],
    ) -> None:
        table = [
            _row(records[i], roi, rejects) | {"recipe_hash": self.recipe_hash} for i, roi in rows
        ]
        frame = pd.DataFrame(table)
        frame["row"] = np.where(
            frame["status"] == Status.OK, (frame["status"] == Status.OK).cumsum() - 1, _NO_ROW
        )
        with (folder / "rows.parquet").open("wb") as file:  # see `manifest.write_manifest`
            frame.to_parquet(file, index=False)

    def _as_stored(self, images: NDArray[np.float32]) -> NDArray[Any]:
        """Integers from display values 0 ... 1, floats as they are."""
        if self.dtype in INTEGER_MAX:
            return np.rint(images * INTEGER_MAX[self.dtype]).astype(self.dtype)
        return images.astype(self.dtype)

    def _write_images(self, folder: Path, images: NDArray[Any]) -> None:
        if self.format == "npy":
            _save_npy(images, folder / "images.npy")
        else:
            _save_safetensors(images, folder / "images.safetensors", self.recipe_hash)


def is_settled(folder: Path, *, retry_failed: bool = False) -> bool:
    """Whether a shard is there with its images, and nothing in it would end otherwise today.

    What failed for a reason that may pass would; with `retry_failed` whatever failed is to be tried
    again.
    """
    images = any((folder / f"images.{kind}").exists() for kind in ("npy", "safetensors"))
    if not images or not (folder / "rows.parquet").exists():
        return False
    failed = [Reason(code) for code in read_rows(folder)["code"] if code]
    return not any(retry_failed or reason.may_pass for reason in failed)


def read_images(folder: Path) -> NDArray[Any]:
    """The images (N, C, H, W) of a committed shard; an .npy file is mapped, not read."""
    if (folder / "images.npy").exists():
        mapped: NDArray[Any] = np.load(folder / "images.npy", mmap_mode="r", allow_pickle=False)
        return mapped
    images: NDArray[Any] = load_file(folder / "images.safetensors")["images"]
    return images


def read_rows(folder: Path) -> pd.DataFrame:
    """The rows of a committed shard, one for each planned image; `row` is -1 where none came."""
    with (folder / "rows.parquet").open("rb") as file:
        return pd.read_parquet(file)


def _save_npy(images: NDArray[Any], path: Path) -> None:
    """The images as they are; OSError where the disk is full."""
    try:
        np.save(path, images, allow_pickle=False)
    except OSError as error:
        if error.errno is not None:
            raise
        # NumPy says that fewer bytes were written than asked, and no more.
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error


def _save_safetensors(images: NDArray[Any], path: Path, recipe_hash: str) -> None:
    """The images as the tensor "images"; OSError where the disk is full or the like."""
    try:
        save_file({"images": images}, path, {"recipe": recipe_hash})
    except SafetensorError as error:  # which keeps the system's number in its text alone
        number = re.search(r"os error (\d+)", str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1]))) from error


def _row(
    record: ImageRecord, roi: Roi | None, rejects: Mapping[str, Reject]
) -> dict[str, str | int | bool]:
    reject = rejects.get(record.image_id) if roi is None else None
    box = roi or Roi(0, 0, 0, 0, found=False)
    return {
        "image_id": record.image_id,
        "laterality": record.tags.laterality,
        "view": record.tags.view,
        "status": Status.OK if roi else Status.FAILED,
        "stage": reject.stage if reject else "",
        "code": reject.reason if reject else "",
        "detail": reject.detail if reject else "",
        "crop_x": box.left,
        "crop_y": box.top,
        "crop_w": box.width,
        "crop_h": box.height,
        "flipped": box.mirror,
        "breast_found": box.found,
    }
