"""The `mammo` command: the table of commands, and how each ending becomes an exit code.

A command's module is imported when that command is run or asked for help, never before, so that
`mammo --help` stays quick. Each module exposes a `click.Command` named `command`.
"""

import errno
import importlib
import os
import resource
import signal
import sys
import traceback
from collections.abc import Sequence
from io import TextIOWrapper
from types import FrameType
from typing import Final, NoReturn

import click
from click.shell_completion import shell_complete

from cli.logs import start_logging
from dali_pipelines.errors import DeviceError, MammoError
from trainer.ranks import leave_exit_code

COMMANDS: Final[dict[str, str]] = {  # each in cli/<name>.py, whose docstring begins with the same
    "phantom": "Write synthetic four-view screening exams as real DICOM files.",
    "scan": "Find the images in folders, files, zip and tar archives, and write a manifest.",
    "rejects": "Explain why inputs gave no image, and what to do.",
    "preview": "Draw what the network will see beside the DICOM picture, with every decision.",
    "montage": "Draw contact sheets, each image with its box beside what a recipe makes.",
    "verify": "Decode images of a manifest a second time, by other decoders, and compare.",
    "combine": "Combine manifests of several data sets into one, with a column that says which.",
    "split": "Assign each patient to a fold, and prove that no fold knows another.",
    "preprocess": "Prepare every image of a manifest and keep the results as shards.",
    "train": "Train a classifier on a manifest with labels and folds.",
    "ensemble": "Choose members among the folds of runs, and the threshold of their score.",
    "predict": "Score the images of a manifest, or of DICOM files and folders.",
    "evaluate": "Print AUROC, pF1, sensitivity and more of a predictions file, with intervals.",
    "explain": "Draw what the network looks at over the DICOM picture, and list it as boxes.",
    "report": "Write a page on what the scores are worth, and a model card.",
    "export": "Write the network of a checkpoint as ONNX or safetensors.",
    "demo": "Run the whole chain on synthetic exams.",
    "benchmark": "Measure how many images a second each part of the way takes.",
    "doctor": "Show what works on this machine.",
    "config": "Show the resolved settings, or list recipes and presets.",
    "completion": "Print the completion script of a shell.",
}

EXIT_CODES: Final = """\b
Exit codes:
  0        success; rejected inputs stayed within --max-rejects
  1        a bug, or a rank that lost another
  2        usage or settings
  3        data: too many rejects, labels, patients in two folds
  4        a device or library is missing
  5        a checkpoint or a required result
  75       pre-empted after saving a checkpoint: run again to go on
  130 143  interrupted or terminated; 141 the reader of stdout went away"""

NO_SPACE: Final = {errno.ENOSPC, errno.EDQUOT}
NO_ACCESS: Final = {
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.EEXIST, errno.ENOTDIR, errno.EISDIR
}  # fmt: skip
DEBUG_HINT: Final = "run again with MAMMO_DEBUG=1 for the traceback"
DEBUG_WARNING: Final = (
    "MAMMO_DEBUG is set: this traceback may hold names, ids and paths of patients; pass it on to "
    "nobody who may not see them"
)
# Threads of torch on a CPU spin while they wait for each other, on cores that decoders or others
# need: a tenth of the images a second on two busy cores (measured). libgomp reads it with torch.
_WAIT_POLICY: Final = ("OMP_WAIT_POLICY", "passive")
BUG, USAGE, INTERRUPTED, PIPE_CLOSED, TERMINATED = 1, 2, 130, 141, 143


class LazyGroup(click.Group):
    """A group that knows its commands from COMMANDS and imports one when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """The names, in the order of the work."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        r"""The command of that name, imported now; None if there is none.

        Its docstring is raw and marks a paragraph to be left as it is by a line `\b`; click wants
        the control character there.
        """
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"cli.{cmd_name}").command
        command.help = (command.help or "").replace("\\b\n", "\b\n")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click's, with the nearest known name in the message."""
        name = args[0]
        if name not in COMMANDS and not name.startswith("-") and not ctx.resilient_parsing:
            from dali_pipelines.settings import closest

            ctx.fail(f"No such command {name!r}.{closest(name, COMMANDS)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the table without importing a command."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def version() -> str:
    """The installed version, "uninstalled" where the packages run from a bare checkout."""
    from importlib import metadata

    try:
        return metadata.version("mammostream")
    except metadata.PackageNotFoundError:
        return "uninstalled"


def _print_version(ctx: click.Context, _param: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        click.echo(f"mammo {version()}")
        ctx.exit()


@click.group(
    cls=LazyGroup,
    epilog=EXIT_CODES,
    context_settings={
        "help_option_names": ["-h", "--help"],
        "show_default": True,
        "max_content_width": 100,
    },
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Show the version and exit.",
    show_default=False,
)
@click.option("-v", "--verbose", count=True, show_default=False, help="Also log details.")
@click.option("-q", "--quiet", count=True, show_default=False, help="Log warnings only.")
def mammo(verbose: int, quiet: int) -> None:
    """Screening-mammography DICOM in, scores out, and no image file in between.

    Results go to stdout, logs and progress to stderr.
    """
    start_logging(verbose - quiet)


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and leave the process with its exit code."""
    if isinstance(sys.stdout, TextIOWrapper):  # paths go out as the bytes that they are
        sys.stdout.reconfigure(errors="surrogateescape")
    os.environ.setdefault(*_WAIT_POLICY)
    before = signal.signal(signal.SIGTERM, _terminate)
    core = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, core[1]))  # a core dump would hold patient data
    try:
        code = _run(args)
    finally:
        signal.signal(signal.SIGTERM, before)
        resource.setrlimit(resource.RLIMIT_CORE, core)
    leave_exit_code(code)
    sys.exit(code)


def _terminate(_signal: int, _frame: FrameType | None) -> NoReturn:
    """Unwind, so that files are put away, and leave with 143."""
    raise SystemExit(TERMINATED)


def _run(args: Sequence[str] | None) -> int:
    """The exit code of one call; what went wrong has been said on stderr."""
    try:
        if instruction := os.environ.get("_MAMMO_COMPLETE"):  # the shell asks, see `completion`
            return shell_complete(mammo, {}, "mammo", "_MAMMO_COMPLETE", instruction)
        given = tuple(sys.argv[1:] if args is None else args)
        with mammo.make_context("mammo", list(given), obj=given) as context:
            mammo.invoke(context)
        sys.stdout.flush()  # a closed pipe shows here at the latest
    except click.exceptions.Exit as done:
        return done.exit_code
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the outermost boundary
        return _explain(error)
    return 0


def _explain(error: BaseException) -> int:
    """Say in one line what ended the call, and give its exit code."""
    if isinstance(error, click.ClickException):
        error.show()
        return USAGE
    if isinstance(error, click.Abort | KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return INTERRUPTED
    if isinstance(error, BrokenPipeError):
        _discard_stdout()
        return PIPE_CLOSED
    if os.environ.get("MAMMO_DEBUG", "") not in {"", "0"}:
        click.echo(DEBUG_WARNING, err=True)
        traceback.print_exception(error)
    if isinstance(error, ModuleNotFoundError) and not _is_ours(error.name or "cli"):
        error = DeviceError(f"this needs the package {error.name!r}, which is not installed")
    if isinstance(error, MammoError):
        click.echo("error: " + str(error).replace("\n", "\n       "), err=True)
        return error.exit_code
    if isinstance(error, OSError) and (advice := _advice(error)):
        click.echo(f"error: {advice}", err=True)
        return USAGE
    click.echo(f"internal error: {_harmless_name(error)}; {DEBUG_HINT}", err=True)
    return BUG


def _advice(error: OSError) -> str | None:
    """What to do where the machine, not the program, stands in the way; no path, it may name one.

    None where the error does not come from the place of a file.
    """
    if error.errno in NO_SPACE:
        return f"{os.strerror(error.errno)}; free some and run the same command again"
    if error.errno == errno.EFBIG:
        return (
            f"{os.strerror(error.errno)}; the file system or `ulimit -f` bounds the length of a "
            "file, so write to another place"
        )
    if error.errno in NO_ACCESS:
        return (
            f"{os.strerror(error.errno)}; check that the folders named on the command line exist "
            "and can be written"
        )
    return None


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] in {"dali_pipelines", "trainer", "benchmarks", "configs", "cli"}


def _harmless_name(error: BaseException) -> str:
    """The class, and the system's own word for it: other text may hold patient data."""
    known = isinstance(error, OSError) and error.errno
    return type(error).__name__ + (f" ({os.strerror(known)})" if known else "")


def _discard_stdout() -> None:
    """Let the interpreter flush into nothing at exit, where the pipe would break once more."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
