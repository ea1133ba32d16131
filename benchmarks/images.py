"""The images to measure on: phantoms, files as they are stored, or files in another syntax."""

import itertools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.transcode import transcode
from dali_pipelines.catalog.scan import ScanOptions, scan
from dali_pipelines.catalog.walk import walk
from dali_pipelines.dicom.image import ReadOptions
from dali_pipelines.errors import ConfigError, DatasetError
from dali_pipelines.phantom.encode import SYNTAXES
from dali_pipelines.phantom.exams import write_phantoms
from dali_pipelines.phantom.patients import PhantomSettings
from dali_pipelines.records import ImageRecord
from dali_pipelines.settings import closest

STORED: Final = "stored"
DEFAULT_SYNTAXES: Final = ("j2k", "jpeg_sv1", "htj2k")  # of mammograms, what archives hold most
_VIEWS: Final = 4  # images of a patient
_LOOK_AT: Final = 64  # inputs that are opened at a time until there are enough images


@dataclass(frozen=True, slots=True)
class Images:
    """`count` images of each pass: the first ones found in `sources`, again and again.

    Without `sources` one synthetic patient with four images of `size` (H, W) px.
    """

    sources: tuple[Path, ...] = ()
    size: tuple[int, int] = (3328, 2560)
    count: int = 16

    @property
    def default_syntaxes(self) -> tuple[str, ...]:
        """What is measured where nothing else was asked for."""
        return (STORED,) if self.sources else DEFAULT_SYNTAXES

    def check(self, syntaxes: Sequence[str]) -> None:
        """Raise ConfigError for a syntax that these images cannot be had in, or a source gone."""
        known = (*SYNTAXES, *([STORED] if self.sources else []))
        for syntax in syntaxes:
            if syntax not in known:
                raise ConfigError(f"no syntax {syntax!r}.{closest(syntax, known)}")
        walk(self.sources)

    def records(self, syntax: str, folder: Path) -> tuple[ImageRecord, ...]:
        """The images in one syntax; what must be written goes into `folder`, which is made."""
        folder.mkdir(mode=0o700)
        if not self.sources:
            settings = PhantomSettings(1, 0.4, *self.size, syntax)
            found = find_records([write_phantoms(folder, settings).images], self.count)
        else:
            found = find_records(self.sources, self.count)
            if syntax != STORED:
                for k, record in enumerate(found):
                    transcode(record, syntax, folder / f"{k:06d}.dcm")
                found = find_records([folder], self.count)
        return tuple(itertools.islice(itertools.cycle(found), self.count))


def find_records(sources: Sequence[Path], most: int) -> list[ImageRecord]:
    """The first images there, at most `most`; no further file is opened.

    Raises DatasetError where there is none.
    """
    inputs, looked_at = walk(sources), 0
    options = ScanOptions(ReadOptions(hash=False), workers=1)
    key = os.urandom(32)
    found: list[ImageRecord] = []
    while len(found) < most and (some := list(itertools.islice(inputs, _LOOK_AT))):
        found += scan(some, options, key).records
        looked_at += len(some)
    if not found:
        raise DatasetError(f"no image among {looked_at:,} inputs; `mammo scan` says why")
    return found[:most]
