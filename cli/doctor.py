"""`mammo doctor`: versions, GPUs, and which decoder takes each transfer syntax on this machine."""

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from dali_pipelines.decoder_trial import DecoderCheck
    from dali_pipelines.diagnose import Diagnosis


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(as_json: bool) -> None:
    """Show what works on this machine.

    Each decoder is tried on a small file of each transfer syntax and compared bit for bit with
    what was written. The exit code is 4 if one that should work does not.
    """
    import dataclasses

    from dali_pipelines.diagnose import diagnose
    from dali_pipelines.errors import DeviceError

    found = diagnose()
    if as_json:
        click.echo(json.dumps(dataclasses.asdict(found), indent=2))
    else:
        click.echo("\n".join(_report(found)))
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
    use = "" if check.chosen else "(stand-in)"
    line = f"{check.syntax:<14} {check.uid:<24} {check.decoder:<12} {check.outcome:<7}"
    return f"{line}{use}{check.detail}".rstrip()


def _block(title: str, lines: Iterable[str]) -> Iterator[str]:
    for k, line in enumerate(lines):
        yield f"{'' if k else title:<10}{line}"
