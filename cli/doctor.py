"""`mammo doctor`: versions, GPUs, and which decoder takes each transfer syntax on this machine.

With --tune: the loader settings that suit it.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from cli.options import DEFAULT_RECIPE, device_option, images_option, json_option

if TYPE_CHECKING:
    from benchmarks.tune import Trial, Tuning
    from dali_pipelines.doctor.decoder_trial import DecoderCheck
    from dali_pipelines.doctor.diagnose import Diagnosis

_SETTINGS: Final = ("threads", "batch", "readers", "prefetch", "isolation")


@click.command()
@click.option("--tune", is_flag=True, help="Find the loader settings that suit it: 1 to 3 minutes.")
@images_option("What to tune on: files or folders, or synthetic exams in J2K and JPEG lossless.")
@device_option("Where to tune.")
@json_option
@click.option("--markdown", is_flag=True, help="Print README's table of transfer syntaxes.")
def command(
    *, tune: bool, sources: tuple[Path, ...], device: Any, as_json: bool, markdown: bool
) -> None:
    """Show what works on this machine.

    Each decoder is tried on a small file of each transfer syntax and compared with what was
    written, bit for bit where nothing is lost. The exit code is 4 if one that should work does not.

    --tune tries loader settings one at a time in place of that, and prints how many images a
    second each gives, and the options that `mammo train` is to be called with.
    """
    if markdown and (tune or as_json):
        raise click.UsageError("--markdown goes with neither --tune nor --json")
    if tune:
        found_settings = _tune(sources, device)
        document = _describe(found_settings)
        click.echo(json.dumps(document, indent=2) if as_json else "\n".join(_table(found_settings)))
        return
    if sources or device != "auto":
        raise click.UsageError("--data and --device go with --tune")
    _diagnose(as_json=as_json, markdown=markdown)


def _diagnose(*, as_json: bool, markdown: bool) -> None:
    import dataclasses

    from dali_pipelines.doctor.diagnose import diagnose
    from dali_pipelines.doctor.syntax_table import syntax_table
    from dali_pipelines.errors import DeviceError

    found = diagnose()
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(found), indent=2))
    else:
        click.echo("\n".join(syntax_table(found.decoders) if markdown else _report(found)))
    if found.broken:
        names = ", ".join(f"{check.decoder} for {check.syntax}" for check in found.broken)
        raise DeviceError(f"{len(found.broken)} decoder(s) that should work do not: {names}")


def _report(found: "Diagnosis") -> Iterator[str]:
    """The lines of the text report."""
    gpus = [f"{g.name}, {g.memory_gib} GiB, compute {g.capability}" for g in found.gpus]
    yield from _block("system", (f"{name} {value}" for name, value in found.system.items()))
    yield from _block("packages", (f"{n:<12} {v}" for n, v in found.packages.items()))
    yield from _block("codecs", (f"{name:<14} {version}" for name, version in found.codecs.items()))
    yield from _block("gpus", gpus or ["none"])
    if found.nvjpeg_file:
        yield from _block("nvjpeg", [found.nvjpeg_file])
    yield from _block("decode", map(_decoder_line, found.decoders))
    yield from _block("warnings", found.warnings or ["none"])


def _decoder_line(check: "DecoderCheck") -> str:
    use = "" if check.chosen else "(isolation=thread)"
    near = f"within {check.tolerance} " if check.tolerance and check.outcome == "ok" else ""
    line = f"{check.syntax:<16} {check.uid:<24} {check.decoder:<12} {check.outcome:<12}"
    return f"{line}{near}{use}{check.detail}".rstrip()


def _block(title: str, lines: Iterable[str]) -> Iterator[str]:
    for k, line in enumerate(lines):
        yield f"{'' if k else title:<10}{line}"


def _tune(sources: tuple[Path, ...], wanted: Any) -> "Tuning":
    import logging
    import tempfile

    from benchmarks.tune import Bench, choices, find_images, trial_count, tune
    from cli.progress import progress
    from dali_pipelines.cores import core_count
    from dali_pipelines.recipe import load_recipe
    from dali_pipelines.steps import choose_device

    device = choose_device(wanted)
    with tempfile.TemporaryDirectory() as scratch:
        images = find_images(sources, device, Path(scratch))
        options = choices(core_count(), min(map(len, images.values())), device)
        bench = Bench(images, load_recipe(DEFAULT_RECIPE), device)
        logging.getLogger("mammo.loader").setLevel(logging.WARNING)  # it tells of every loader
        with progress(trial_count(options), "tune", "settings") as bar:
            return tune(bench, options, lambda _trial: bar.update())


def _describe(found: "Tuning") -> dict[str, Any]:
    return {
        "trials": [_trial(trial) for trial in found.trials],
        "default": _trial(found.before),
        "best": _trial(found.after),
        "gain": found.gain,
        "set": _options(found),
    }


def _trial(trial: "Trial") -> dict[str, Any]:
    settings = {name: getattr(trial.settings, name) for name in _SETTINGS}
    return settings | {"img_s": dict(trial.img_s)}


def _options(found: "Tuning") -> list[str]:
    """What `mammo train` is to be given, such as ["--set", "loader.threads=4"]."""
    pairs = ([f"loader.{name}={value}"] for name, value in found.changes.items())
    return [word for pair in pairs for word in ("--set", *pair)]


def _table(found: "Tuning") -> Iterator[str]:
    """A line for each trial, then what it comes to."""
    names = list(found.before.img_s)
    line = "{:>7} {:>6} {:>8} {:>9} {:>10}" + " {:>10}" * len(names)
    yield line.format(*_SETTINGS, *names) + "   img/s"
    for trial in (*found.trials, found.before, found.after):
        values = [getattr(trial.settings, name) for name in _SETTINGS]
        yield line.format(*values, *(f"{trial.img_s[name]:.4g}" for name in names))
    if found.changes:
        yield f"{found.gain} times as fast as the defaults (the last two lines, measured in turns):"
        yield " ".join(_options(found))
    else:
        yield "the defaults are as fast as anything here: there is nothing to set"
