"""Who runs against whom, and what comes of it: our loader, its bare decoder, and the peers."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, Final, NamedTuple

from benchmarks import decode, loader
from benchmarks.apart import measure
from benchmarks.images import Images
from benchmarks.job import Contender, Job
from benchmarks.peers import dicomsdl_opencv, rsna_notebook, spr, torch_dataloader
from benchmarks.timing import Measurement, figures, memory_figures, ratios
from dali_pipelines.pixel_settings import DecodeSettings

PEERS: Final[dict[str, ModuleType]] = {
    "spr": spr,
    "rsna_notebook": rsna_notebook,
    "torch_dataloader": torch_dataloader,
    "dicomsdl_opencv": dicomsdl_opencv,
}
# Measured together, since the peers read the first of each for all of it: few decoders that they
# use know HTJ2K.
FAMILIES: Final = (("j2k", "htj2k"), ("jpeg_sv1",))
REDUCIBLE: Final = {"j2k", "htj2k"}

Found = Mapping[str, Measurement | str]


class Row(NamedTuple):
    """One line of the result: our loader on the images in `syntax`, under the job's recipe."""

    name: str
    syntax: str
    job: Job
    isolation: loader.Isolation = loader.ISOLATION


def rows_of(jobs: Mapping[str, Job]) -> list[Row]:
    """A row for each syntax, one with fewer wavelet levels if it has any, one without processes.

    The last is what the default of `loader.isolation` costs or gains.
    """
    rows = []
    for syntax, job in jobs.items():
        rows.append(Row(syntax, syntax, job))
        if syntax in REDUCIBLE:
            reduced = dataclasses.replace(job.recipe, decode=DecodeSettings("auto"))
            name = f"{syntax} decode.reduce=auto"
            rows.append(Row(name, syntax, dataclasses.replace(job, recipe=reduced)))
        rows.append(Row(f"{syntax} loader.isolation=thread", syntax, job, "thread"))
    return rows


def compare(
    jobs: Mapping[str, Job],
    repeats: int,
    peers: Mapping[str, ModuleType] = PEERS,
    on_pass: Callable[[], object] = lambda: None,
) -> dict[str, Any]:
    """The rows of one family of `jobs` (by syntax), by name; the peers do the first of the jobs.

    Errors of our own as those of `measure`; a peer that is absent or fails is reported as that.
    """
    rows = rows_of(jobs)
    first = next(iter(jobs))
    found = measure(_contenders(rows, jobs, jobs[first], peers), repeats, on_pass)
    return {row.name: _figures(row, found, peers, first) for row in rows}


def measure_memory(images: Images, syntax: str, job: Job, folder: Path) -> dict[str, Any]:
    """The loader's memory on these images; `job` says how, its records do not matter."""
    job = dataclasses.replace(job, records=images.records(syntax, folder))
    return memory_figures(_own(measure([_loader("loader", job)], 1), "loader"))


def _contenders(
    rows: Sequence[Row], jobs: Mapping[str, Job], theirs: Job, peers: Mapping[str, ModuleType]
) -> list[Contender]:
    return [
        *(_loader(f"loader {row.name}", row.job, row.isolation) for row in rows),
        *(
            Contender(f"decode {syntax}", decode.open_pass, job, loader.libraries(job))
            for syntax, job in jobs.items()
        ),
        *(
            Contender(name, peer.open_pass, theirs, peer.LIBRARIES, optional=True)
            for name, peer in peers.items()
        ),
    ]


def _loader(name: str, job: Job, isolation: loader.Isolation = loader.ISOLATION) -> Contender:
    open_pass = partial(loader.open_pass, isolation=isolation)
    return Contender(name, open_pass, job, loader.libraries(job))


def _figures(row: Row, found: Found, peers: Mapping[str, ModuleType], read: str) -> dict[str, Any]:
    """One row for JSON; `read` is the syntax that the peers were given.

    The bare decoder decodes all levels in processes, so it is only beside a row that does, too.
    """
    ours = _own(found, f"loader {row.name}")
    rates = {"loader": _rates(ours, row.job)}
    if row.isolation != loader.ISOLATION:
        default = _own(found, f"loader {row.syntax}")
        return rates | {"times_as_fast_as_default": ratios(ours, default)}
    if row.job.recipe.decode.reduce == 0:
        bare = _own(found, f"decode {row.syntax}")
        share = ratios(ours, bare)
        rates |= {"bare_decoder": _rates(bare, row.job), "share_of_bare_decoder": share}
    return rates | {"peers": {name: _peer(ours, found[name], row.job, read) for name in peers}}


def _own(found: Found, name: str) -> Measurement:
    """What came of a contender of ours, which is not optional."""
    measured = found[name]
    assert isinstance(measured, Measurement)
    return measured


def _peer(ours: Measurement, theirs: Measurement | str, job: Job, read: str) -> dict[str, Any]:
    if isinstance(theirs, str):
        return {"outcome": theirs}
    return {"read": read, "times_as_fast": ratios(ours, theirs), **_rates(theirs, job)}


def _rates(measured: Measurement, job: Job) -> dict[str, Any]:
    return figures(measured, len(job.records), job.megapixels)
