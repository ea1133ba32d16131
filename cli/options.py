"""The options and arguments that several commands have, each declared once.

A decorator where all commands say the same, a function that makes one where a text or default is
the command's own.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, get_args

import click

from cli.checks import times
from dali_pipelines.dicom.frames import Frames
from dali_pipelines.rejects.limits import DEFAULT_LIMIT, parse_limit

if TYPE_CHECKING:
    from dali_pipelines.review import Review
    from dali_pipelines.shards.shard_set import ShardSet
    from trainer.aggregation.policy import Aggregation

DEFAULT_RECIPE: Final = "default-1536"
_PHANTOM: Final = "phantom"
_SEED: Final = click.IntRange(0, 2**32 - 1)  # what numpy.random and scikit-learn take

# What click decorates: a function, or the command that it has become.
_Decorated = TypeVar("_Decorated", bound=Callable[..., Any])

manifest_argument = click.argument("manifest", type=click.Path(path_type=Path))

# what `trainer.prediction.inputs.read_inputs` takes
sources_argument = click.argument(
    "sources", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="MANIFEST|DICOM..."
)

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")

config_option = click.option(
    "--config", type=click.Path(path_type=Path), metavar="NAME|FILE",
    help="Training settings: a name of configs/train, such as demo, or a YAML file.",
)  # fmt: skip

recipe_option = click.option(
    "--recipe", default=DEFAULT_RECIPE, help="A recipe's name, or a .yaml file."
)


def _read_review(
    _context: click.Context, _parameter: click.Parameter, path: Path | None
) -> "Review | None":
    from dali_pipelines.review import read_review

    return read_review(path) if path else None


# as `review`, a Review or None
review_option = click.option(
    "--review", type=click.Path(path_type=Path), metavar="CSV", callback=_read_review,
    help="Boxes by hand, as `mammo montage` writes them: cut these whatever the recipe finds.",
)  # fmt: skip


def _read_aggregation(
    _context: click.Context, _parameter: click.Parameter, text: str | None
) -> "Aggregation | None":
    from trainer.aggregation.policy import parse_aggregation

    return parse_aggregation(text) if text is not None else None


# as `how`, an Aggregation, or None where none is named: then a file's own, else Aggregation()
aggregate_option = click.option(
    "--aggregate", "how", metavar="TEXT", callback=_read_aggregation, show_default="mean/max/max",
    help="VIEWS/BREASTS/EXAMS, the rules that join each: mean, max, noisy-or, top2, q90; or a "
    "preset: spr-1st, spr-1st-code, rsna-1st. After commas what becomes of unusual views: "
    "repeated=all|mean, odd=keep|drop, implants=all|displaced|full, as in "
    "mean/max/max,repeated=mean.",
)  # fmt: skip

nproc_option = click.option(
    "--nproc", type=click.IntRange(min=1), default=1,
    help="Ranks on this machine, one a GPU; torchrun does the same on several.",
)  # fmt: skip

batch_option = click.option(
    "--batch", type=click.IntRange(min=1), default=8, help="Images at a time."
)


def set_option(*, of_training: bool = False) -> Callable[[_Decorated], _Decorated]:
    """--set as `sets`: changes of the recipe, and of training settings if `of_training`."""
    changed = "Change a setting, or the recipe." if of_training else "Change the recipe."
    return click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help=changed)


def device_option(text: str | None = None) -> Callable[[_Decorated], _Decorated]:
    """--device."""
    devices = click.Choice(["auto", "cpu", "gpu"])
    return click.option("--device", type=devices, default="auto", help=text)


def workers_option(text: str | None = None) -> Callable[[_Decorated], _Decorated]:
    """-j, --workers: 0 stands for one a core."""
    return click.option(
        "-j", "--workers", type=click.IntRange(min=0), default=0, show_default="one a core",
        help=text,
    )  # fmt: skip


def seed_option(text: str, default: int | None = 0) -> Callable[[_Decorated], _Decorated]:
    """--seed."""
    return click.option("--seed", type=_SEED, default=default, help=text)


def max_rejects_option(default: str = DEFAULT_LIMIT) -> Callable[[_Decorated], _Decorated]:
    """--max-rejects as `limit`, a RejectLimit."""
    return click.option(
        "--max-rejects", "limit", metavar="N|P%", default=default,
        callback=lambda _context, _parameter, text: parse_limit(text),
        help="Leave with 3 if more inputs than N, or than P percent, are rejected.",
    )  # fmt: skip


def id_key_option(where: str) -> Callable[[_Decorated], _Decorated]:
    """--id-key; `where` the key is kept without it."""
    return click.option(
        "--id-key", type=click.Path(dir_okay=False, path_type=Path), show_default=where,
        help="The key of the hashed ids; made if there is none.",
    )  # fmt: skip


ids_option = click.option(
    "--ids", type=click.Choice(["keyed", "raw"]), default="keyed",
    help="Name images and patients by keyed hashes, or as the header does.",
)  # fmt: skip


def images_option(text: str) -> Callable[[_Decorated], _Decorated]:
    """--data as `sources`: the files and folders, () for synthetic exams."""
    return click.option(
        "--data", "sources", multiple=True, type=click.Path(path_type=Path), default=[_PHANTOM],
        metavar="DICOM|phantom", callback=_none_if_phantom, help=text,
    )  # fmt: skip


def _none_if_phantom(
    _context: click.Context, _parameter: click.Parameter, sources: tuple[Path, ...]
) -> tuple[Path, ...]:
    return () if sources == (Path(_PHANTOM),) else sources


def shards_option(text: str) -> Callable[[_Decorated], _Decorated]:
    """--shards as a ShardSet, or None."""
    return click.option(
        "--shards", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
        callback=_open_shards, help=text,
    )  # fmt: skip


def _open_shards(
    _context: click.Context, _parameter: click.Parameter, out: Path | None
) -> "ShardSet | None":
    from dali_pipelines.shards.shard_set import ShardSet

    return ShardSet.open(out) if out is not None else None


def read_options(command: _Decorated) -> _Decorated:
    """--frames, --max-pixels and --max-inflated, named and counted as in `ReadOptions`."""
    for option in reversed(_READ_OPTIONS):  # click lists first what decorates last
        command = option(command)
    return command


_READ_OPTIONS: Final = (
    click.option(
        "--frames", type=click.Choice(get_args(Frames)), default="error",
        help="What an object of several frames gives: nothing, one frame, each, or their maximum.",
    ),
    click.option(
        "--max-pixels", type=click.IntRange(min=1), metavar="MP", default=100,
        callback=times(10**6),
        help="Refuse larger images, by rows times columns in megapixels.",
    ),
    click.option(
        "--max-inflated", type=click.IntRange(min=1), metavar="MIB", default=512,
        callback=times(1 << 20),
        help="Refuse compressed data that unfold to more, and codestreams that are larger.",
    ),
)  # fmt: skip
