"""Sources -> records and rejects: every input read once, in parallel, each with one verdict.

Between `walk`, which names the inputs, and `manifest`, which keeps the records. Decodes no pixel.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from dali_pipelines.catalog.duplicates import by_input, settle_duplicates
from dali_pipelines.catalog.walk import Input
from dali_pipelines.catalog.workers import Died, map_chunks
from dali_pipelines.cores import core_count
from dali_pipelines.dicom.image import ReadOptions, read_images
from dali_pipelines.records import ImageRecord
from dali_pipelines.storage.archive import Source
from dali_pipelines.storage.regular_file import reject_of
from dali_pipelines.verdicts import Reason, Reject, RejectError, Status

STAGE: Final = "read"
CHUNK: Final = 32  # files per task; 0.3 to 3 s of work, so that handing them out costs nothing

Read = Callable[[Source, bytes, ReadOptions], tuple[ImageRecord, ...]]
Progress = Callable[[int, Mapping[str, int]], None]  # inputs just done, and the counts so far


@dataclass(frozen=True, slots=True)
class ScanOptions:
    """How to scan; `workers` 0 is one process a core, 1 is none beside this one."""

    read: ReadOptions = field(default_factory=ReadOptions)
    workers: int = 0


@dataclass(frozen=True, slots=True)
class ScanResult:
    """Records and rejects, each in order of (path, member); `counts` has one entry a `Status`.

    It counts inputs, of which one may have several records.
    """

    records: tuple[ImageRecord, ...]
    rejects: tuple[Reject, ...]
    counts: Mapping[str, int]


def scan(
    inputs: Sequence[Input],
    options: ScanOptions,
    key: bytes,
    progress: Progress = lambda _done, _counts: None,
    read: Read = read_images,
    known: Sequence[ImageRecord] = (),
) -> ScanResult:
    """One verdict for each of `inputs`, whatever the number of workers.

    `key` makes the image ids. `read` turns a source into records or raises RejectError; any
    other exception costs that input too. A read that kills its process costs one input. `known`
    are the records of an earlier scan, which end among the result's as if read by this one.
    """
    rejects = [item for item in inputs if isinstance(item, Reject)]
    sources = [item for item in inputs if isinstance(item, Source)]
    records: list[ImageRecord] = []
    tally = _tally(records, rejects)
    progress(len(rejects), tally)
    job = partial(_verdict, read=read, key=key, options=options.read)
    workers, chunk = _shares(len(sources), options.workers)
    for results in map_chunks(job, sources, workers, chunk):
        for result in results:
            verdict = _crash(result.item) if isinstance(result, Died) else result
            if isinstance(verdict, Reject):
                rejects.append(verdict)
            else:
                records.extend(verdict)
            tally[_status(verdict)] += 1
        progress(len(results), tally)
    settled = _settle([*known, *records], rejects, len(by_input(known)) + len(inputs))
    progress(0, _tally_of(settled, inputs))  # the last word: duplicates are known only now
    return settled


def _settle(records: list[ImageRecord], rejects: list[Reject], inputs: int) -> ScanResult:
    records.sort(key=lambda r: (r.location.path, r.location.member))
    kept, duplicates = settle_duplicates(records)
    rejects = sorted([*rejects, *duplicates], key=lambda r: (r.path, r.member))
    counts = _tally(kept, rejects)
    assert sum(counts.values()) == inputs, f"{sum(counts.values())} verdicts on {inputs} inputs"
    return ScanResult(tuple(kept), tuple(rejects), counts)


def _verdict(
    source: Source, read: Read, key: bytes, options: ReadOptions
) -> tuple[ImageRecord, ...] | Reject:
    """The records or the reject of one source; a worker runs this."""
    try:
        return read(source, key, options)
    except RejectError as error:
        reason, detail = error.reason, error.detail
    except OSError as error:
        verdict = reject_of(error)
        reason, detail = verdict.reason, verdict.detail
    except Exception as error:  # noqa: BLE001 - one bad file costs one file; its text is private
        reason, detail = Reason.UNEXPECTED, f"{type(error).__name__} while it was read"
    return Reject(source.path, source.member, "", STAGE, reason, detail)


def _crash(source: Source) -> Reject:
    detail = "the process that read it died, twice"
    return Reject(source.path, source.member, "", STAGE, Reason.DECODER_CRASH, detail)


def _shares(sources: int, workers: int) -> tuple[int, int]:
    """Workers and files a task: no worker without a full task unless their number was asked."""
    if workers == 0:
        workers = max(1, min(core_count(), sources // CHUNK))
    return workers, max(1, min(CHUNK, sources // (4 * workers)))


def _status(verdict: Sequence[ImageRecord] | Reject) -> str:
    if isinstance(verdict, Reject):
        return verdict.reason.status.value
    return (Status.FLAGGED if any(record.flags for record in verdict) else Status.OK).value


def _tally_of(result: ScanResult, inputs: Sequence[Input]) -> dict[str, int]:
    """The counts of these inputs alone, without those of an earlier scan."""
    places = {(item.path, item.member) for item in inputs}
    records = [r for r in result.records if (r.location.path, r.location.member) in places]
    return _tally(records, [r for r in result.rejects if (r.path, r.member) in places])


def _tally(records: Sequence[ImageRecord], rejects: Sequence[Reject]) -> dict[str, int]:
    counts = {status.value: 0 for status in Status}
    verdicts: list[Sequence[ImageRecord] | Reject] = [*by_input(records), *rejects]
    for verdict in verdicts:
        counts[_status(verdict)] += 1
    return counts
