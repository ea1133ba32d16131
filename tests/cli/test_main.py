"""The command line as a process sees it: its table, its exit codes and what it imports."""

import importlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

import cli.main

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


def test_a_path_that_is_not_utf_8_is_printed_as_it_is(
    run: Callable[..., int], capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert run(lambda: click.echo(os.fsdecode(b"/a/\xff.parquet"))) == 0
    assert capsysbinary.readouterr().out == b"/a/\xff.parquet\n"


def test_threads_that_wait_leave_the_core_unless_the_user_says_otherwise() -> None:
    code = (
        f"import atexit, os\natexit.register(lambda: print(os.environ['OMP_WAIT_POLICY']))\n{PROBE}"
    )
    assert run_process("--version", code=code).stdout.splitlines()[-1] == "passive"
