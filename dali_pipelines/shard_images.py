"""The images of one shard in one file: safetensors (tensor "images") or .npy, (N, C, H, W)."""

import errno
import os
import re
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save_file

Format = Literal["safetensors", "npy"]
UNREADABLE: Final = (OSError, EOFError, ValueError, SafetensorError)  # of a damaged file


def save_images(images: NDArray[Any], folder: Path, kind: Format, recipe_hash: str) -> None:
    """Write the images into the folder; OSError where the disk is full or the like."""
    if kind == "npy":
        _save_npy(images, folder / "images.npy")
    else:
        _save_safetensors(images, folder / "images.safetensors", recipe_hash)


def read_images(folder: Path) -> NDArray[Any]:
    """The images (N, C, H, W) of a committed shard; an .npy file is mapped, not read."""
    if (folder / "images.npy").exists():
        mapped: NDArray[Any] = np.load(folder / "images.npy", mmap_mode="r", allow_pickle=False)
        return mapped
    images: NDArray[Any] = load_file(folder / "images.safetensors")["images"]
    return images


def count_images(folder: Path) -> int:
    """How many images the file of a shard holds by its header; UNREADABLE if it is none."""
    if (folder / "images.npy").exists():
        return len(np.load(folder / "images.npy", mmap_mode="r", allow_pickle=False))
    with safe_open(folder / "images.safetensors", "numpy") as file:
        return int(file.get_slice("images").get_shape()[0])


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
