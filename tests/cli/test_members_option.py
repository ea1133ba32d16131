from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from cli.members_option import MembersCommand, parse_weights, repeat_ckpt
from cli.predict import command


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """run/ is that of a training, exam/ is not."""
    (tmp_path / "run" / "ckpt").mkdir(parents=True)
    (tmp_path / "exam").mkdir()
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("m --ckpt a.pt b.pt -O x", "m --ckpt a.pt --ckpt b.pt -O x"),
        ("--ckpt a.pt run exam b.pt", "--ckpt a.pt --ckpt run exam b.pt"),
        ("--ckpt a.pt exam b.pt", "--ckpt a.pt exam b.pt"),
        (
            "--ckpt=a.pt b.json --ckpt c d.safetensors",
            "--ckpt=a.pt --ckpt b.json --ckpt c --ckpt d.safetensors",
        ),
        ("--ckpt a.pt --fold 0 b.pt", "--ckpt a.pt --fold 0 b.pt"),
        ("--ckpt a.pt -- b.pt --ckpt c.pt d.pt", "--ckpt a.pt -- b.pt --ckpt c.pt d.pt"),
        ("--ckpt --ckpt a.pt", "--ckpt --ckpt a.pt"),
        ("m x.pt", "m x.pt"),
    ],
)
def test_ckpt_takes_the_checkpoints_that_follow_it(line: str, wanted: str) -> None:
    assert repeat_ckpt(line.split()) == wanted.split()


@pytest.mark.usefixtures("runs")
def test_what_follows_keeps_its_order() -> None:
    @click.command(cls=MembersCommand)
    @click.argument("sources", nargs=-1)
    @click.option("--ckpt", multiple=True)
    def show(sources: tuple[str, ...], ckpt: tuple[str, ...]) -> None:
        click.echo(f"{sources} {ckpt}")

    args = ["exam", "--ckpt", "c.pt", "run", "--ckpt", "a.pt"]
    shown = CliRunner().invoke(show, args).stdout
    assert shown == "('exam',) ('c.pt', 'run', 'a.pt')\n"


@pytest.mark.parametrize("text", ["", "a", "1,,2", "0,1", "-1", "nan", "inf"])
def test_weights_are_numbers_above_0(text: str) -> None:
    context, parameter = click.Context(command), click.Option(["--weights"])
    with pytest.raises(click.BadParameter, match="numbers above 0"):
        parse_weights(context, parameter, text)
    assert parse_weights(context, parameter, "2,1.5,1e-3") == (2, 1.5, 0.001)
    assert parse_weights(context, parameter, None) == ()
