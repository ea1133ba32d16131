"""The command line as a process sees it: its table, its exit codes and what it imports."""

import importlib
import importlib.util
import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import click
import pytest

import cli.main
from cli.logs import ROOT as LOGGER
from dali_pipelines import errors

ROOT = Path(__file__).parents[2]
HEAVY = {"torch", "timm", "pandas", "numpy", "pydicom", "nvidia.dali"}
# Runs main() in a new process, then lists on stderr which heavy packages were imported.
PROBE = (
    "import atexit, sys\n"
    "def report():\n"
    f"    print(*sorted({HEAVY!r} & set(sys.modules)), file=sys.stderr)\n"
    "atexit.register(report)\n"
    "from cli.main import main\n"
    "main()\n"
)


def run_process(*args: str, code: str = PROBE) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *args], cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Run main() with a command `try` that does what the test says; the exit code."""

    def run_main(action: Callable[[], object], *args: str) -> int:
        command = click.Command("try", callback=action)
        monkeypatch.setitem(sys.modules, "cli.try", SimpleNamespace(command=command))
        monkeypatch.setitem(cli.main.COMMANDS, "try", "Try.")
        with pytest.raises(SystemExit) as ended:
            cli.main.main([*args, "try"])
        assert isinstance(ended.value.code, int)
        return ended.value.code

    return run_main


def fail(error: BaseException) -> Callable[[], None]:
    def action() -> None:
        raise error

    return action


@pytest.mark.parametrize("name", cli.main.COMMANDS)
def test_the_table_tells_the_truth(name: str) -> None:
    command = importlib.import_module(f"cli.{name}").command
    assert isinstance(command, click.Command)
    said = command.get_short_help_str(limit=200)
    assert said.removesuffix(".") == cli.main.COMMANDS[name].removesuffix(".")


def test_the_table_is_in_the_order_of_the_work() -> None:
    order = (
        "phantom scan split preprocess train predict evaluate demo benchmark doctor config "
        "completion"
    )
    assert [n for n in cli.main.COMMANDS if n in order.split()] == [
        n for n in order.split() if n in cli.main.COMMANDS
    ]


def test_no_command_file_is_left_out_of_the_table() -> None:
    files = (ROOT / "cli").glob("*.py")
    commands = {path.stem for path in files if "\ndef command(" in path.read_text()}
    assert commands <= set(cli.main.COMMANDS)


@pytest.mark.parametrize(
    "args",
    [[], *([name] for name in cli.main.COMMANDS), ["config", "show"], ["config", "recipes"]],
    ids=" ".join,
)
def test_help_imports_nothing_heavy(args: list[str]) -> None:
    result = run_process(*args, "--help")
    assert result.returncode == 0
    assert result.stdout.startswith(f"Usage: {' '.join(['mammo', *args])} ")
    assert result.stderr == "\n"
    assert "\\b" not in result.stdout


def test_help_of_the_group_lists_commands_and_exit_codes() -> None:
    result = run_process("-h")
    unwrapped = " ".join(result.stdout.split())
    for name, text in cli.main.COMMANDS.items():
        assert f" {name} {text} " in unwrapped
    for code in ("0", "1", "2", "3", "4", "5", "75", "130 143"):
        assert f"\n    {code} " in result.stdout


def test_a_module_run_is_the_same_command() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "cli", "--version"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert result.stdout.startswith("mammo ")


def test_no_command_prints_help_on_stderr_and_exits_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        cli.main.main([])
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("Usage: mammo")


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
    assert run(fail(FileNotFoundError(2, "x", "/JONES"))) == 1
    err = capsys.readouterr().err
    assert "FileNotFoundError (No such file or directory)" in err
    assert "JONES" not in err


def test_debug_shows_the_traceback(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAMMO_DEBUG", "1")
    assert run(fail(RuntimeError("details"))) == 1
    err = capsys.readouterr().err
    assert "Traceback" in err
    assert "RuntimeError: details" in err


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
    result = run_process(code=code)
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


@pytest.mark.parametrize(
    ("flags", "said"),
    [([], "i warning: w "), (["-v"], "d i warning: w "), (["-q"], "warning: w "), (["-qq"], "")],
)
def test_verbosity_decides_what_is_logged(
    flags: list[str], said: str, run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    def action() -> None:
        log = logging.getLogger(f"{LOGGER}.scan")
        log.debug("d")
        log.info("i")
        log.warning("w")

    assert run(action, *flags) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert err.replace("\n", " ") == said


def test_other_ranks_log_only_what_is_wrong(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "3")

    def action() -> None:
        logging.getLogger(LOGGER).info("i")
        logging.getLogger(LOGGER).error("e")

    run(action)
    assert capsys.readouterr().err == "[r3] error: e\n"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_that_asks_us(
    shell: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SystemExit, match="0"):
        cli.main.main(["completion", shell])
    assert f"_MAMMO_COMPLETE={shell}_complete" in capsys.readouterr().out
    monkeypatch.setenv("_MAMMO_COMPLETE", f"{shell}_complete")
    monkeypatch.setenv("COMP_WORDS", "mammo comp")
    monkeypatch.setenv("COMP_CWORD", "comp" if shell == "fish" else "1")
    with pytest.raises(SystemExit, match="0"):
        cli.main.main([])
    assert "completion" in capsys.readouterr().out


def test_a_stranger_of_our_name_is_named(tmp_path: Path) -> None:
    (tmp_path / "trainer").mkdir()
    (tmp_path / "trainer" / "__init__.py").write_text("raise SystemExit('it ran')")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); sys.path.append('.'); import cli"
    result = run_process(code=code)
    assert result.returncode == 4
    assert f"another package of that name at {tmp_path / 'trainer'}" in result.stderr
