"""How each way to end becomes one line on stderr and an exit code."""

import errno
import importlib
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

import cli.main
from dali_pipelines import errors

ROOT = Path(__file__).parents[2]


def fail(error: BaseException) -> Callable[[], None]:
    def action() -> None:
        raise error

    return action


def test_success_is_0(run: Callable[..., int]) -> None:
    assert run(lambda: None) == 0
    assert run(lambda: 7) == 0  # a command's return value is not an exit code


def test_a_command_may_choose_its_exit_code(run: Callable[..., int]) -> None:
    assert run(lambda: click.get_current_context().exit(75)) == 75


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.ConfigError("no recipe 'x'"), 2),
        (errors.DatasetError("patient in two folds"), 3),
        (errors.RejectsError("too many"), 3),
        (errors.DeviceError("no GPU"), 4),
        (errors.CheckpointError("cut short"), 5),
        (errors.GateError("AUROC too low"), 5),
        (errors.LostRankError("another rank ended"), 1),
    ],
)
def test_our_errors_are_one_sentence_and_their_code(
    error: errors.MammoError, code: int, run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(fail(error)) == code
    assert capsys.readouterr().err == f"error: {error}\n"


def test_several_mistakes_stay_together(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    run(fail(errors.ConfigError("one\ntwo")))
    assert capsys.readouterr().err == "error: one\n       two\n"


def test_usage_errors_are_2_and_name_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        cli.main.main(["docter"])
    assert "No such command 'docter'. Did you mean 'doctor'?" in capsys.readouterr().err


def test_a_bug_shows_its_class_and_nothing_of_its_text(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(fail(RuntimeError("JONES^MARY"))) == 1
    assert capsys.readouterr().err == (
        "internal error: RuntimeError; run again with MAMMO_DEBUG=1 for the traceback\n"
    )


def test_a_system_error_shows_its_kind_but_no_path(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(fail(TimeoutError(errno.ETIMEDOUT, "x", "/JONES"))) == 1
    err = capsys.readouterr().err
    assert "internal error: TimeoutError (Connection timed out)" in err
    assert "JONES" not in err


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (errno.EACCES, "Permission denied; check that the folders named"),
        (errno.ENOENT, "No such file or directory; check that the folders named"),
        (errno.EEXIST, "File exists; check"),
        (errno.ENOTDIR, "Not a directory; check"),
        (errno.EISDIR, "Is a directory; check"),
        (errno.EROFS, "Read-only file system; check"),
        (errno.ENOSPC, "No space left on device; free some and run the same command again"),
        (errno.EFBIG, "File too large; the file system or `ulimit -f` bounds the length of a file"),
    ],
)
def test_a_folder_that_cannot_be_used_is_no_bug(
    number: int, sentence: str, run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(fail(OSError(number, "x", "/JONES"))) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"error: {sentence}")
    assert "JONES" not in err


def test_no_core_is_dumped(run: Callable[..., int]) -> None:
    before = resource.getrlimit(resource.RLIMIT_CORE)
    seen: list[int] = []
    assert run(lambda: seen.append(resource.getrlimit(resource.RLIMIT_CORE)[0])) == 0
    assert seen == [0]
    assert resource.getrlimit(resource.RLIMIT_CORE) == before


def test_debug_shows_the_traceback(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAMMO_DEBUG", "1")
    assert run(fail(RuntimeError("details"))) == 1
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert "RuntimeError: details" in err
    assert err.startswith("MAMMO_DEBUG is set: this traceback may hold names")


def test_a_missing_library_is_4_but_a_missing_part_of_ours_a_bug(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(lambda: importlib.import_module("no_such_library.part")) == 4
    assert "'no_such_library', which is not installed" in capsys.readouterr().err
    assert run(lambda: importlib.import_module("cli.no_such_part")) == 1


@pytest.mark.parametrize("error", [KeyboardInterrupt(), click.Abort()])
def test_interrupts_are_130(
    error: BaseException, run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(fail(error)) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_sigterm_unwinds_and_is_143() -> None:
    code = (
        "import os, signal, sys, types, click, cli.main\n"
        "def action():\n"
        "    try: os.kill(os.getpid(), signal.SIGTERM); signal.pause()\n"
        "    finally: print('put away')\n"
        "command = click.Command('try', callback=action)\n"
        "sys.modules['cli.try'] = types.SimpleNamespace(command=command)\n"
        "cli.main.COMMANDS['try'] = ''\n"
        "cli.main.main(['try'])\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 143
    assert result.stdout == "put away\n"
    assert result.stderr == ""


def test_a_closed_pipe_is_quiet() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as broken:
        result = subprocess.run(
            [sys.executable, "-m", "cli", "completion", "fish"],
            cwd=ROOT, stdout=broken, stderr=subprocess.PIPE, check=False,
        )  # fmt: skip
    assert result.returncode == 141
    assert result.stderr == b""
