import click
import pytest
from click.testing import CliRunner

from cli.options import aggregate_option
from dali_pipelines.errors import ConfigError
from trainer.aggregation.policy import PRESETS


@click.command()
@aggregate_option
def command(how: object) -> None:
    """Say what was asked for."""
    click.echo(str(how))


def ask(*args: str) -> str:
    return CliRunner().invoke(command, args, catch_exceptions=False).output.strip()


def test_it_says_an_aggregation_or_none() -> None:
    assert ask() == "None"
    assert ask("--aggregate", "max/mean,odd=drop") == "max/mean/max,odd=drop"


def test_its_help_names_every_preset() -> None:
    text = " ".join(ask("--help").split())
    for name in PRESETS:
        assert name in text.replace("- ", "-")


def test_a_slip_is_put_right() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'spr-1st'"):
        ask("--aggregate", "spr-1s")
