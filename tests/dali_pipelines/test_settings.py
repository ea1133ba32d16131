"""Settings from layers: the later wins, and every mistake is named at once."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pytest

from dali_pipelines.errors import ConfigError
from dali_pipelines.settings import build, parse_sets, read_yaml, to_dict


@dataclass(frozen=True)
class Inner:
    lr: float = 1e-3
    mode: Literal["fast", "exact"] = "fast"
    share: float | None = None
    channels: Literal[1, 3] = 1

    def __post_init__(self) -> None:
        if self.lr <= 0:
            raise ValueError(f"lr must be above 0, not {self.lr}")


@dataclass(frozen=True)
class Outer:
    epochs: int = 2
    amp: bool = False
    size: tuple[int, int] = (4, 3)
    name: str = "a"
    inner: Inner = field(default_factory=Inner)


def test_defaults_then_file_then_set_and_each_says_where_it_came_from() -> None:
    layers = [
        ("file", {"epochs": 5, "inner": {"mode": "exact"}}),
        ("--set", parse_sets(["inner.lr=3e-4", "epochs=7"])),
    ]
    settings, origins = build(Outer, layers)
    assert settings == Outer(epochs=7, inner=Inner(lr=3e-4, mode="exact"))
    assert origins["epochs"] == "--set"
    assert origins["inner.mode"] == "file"
    assert origins["amp"] == "default"


def test_a_dump_builds_the_same_settings() -> None:
    settings = Outer(size=(7, 8), inner=Inner(share=0.25))
    assert to_dict(settings)["size"] == [7, 8]
    assert build(Outer, [("dump", to_dict(settings))])[0] == settings


@pytest.mark.parametrize(
    ("mapping", "message"),
    [
        ({"epoch": 3}, r"no setting 'epoch'. Did you mean 'epochs'\?"),
        ({"lrr": 3}, r"no setting 'lrr'. Did you mean 'inner.lr'\?"),
        ({"inner": {"lrr": 3}}, r"no setting 'inner.lrr'. Did you mean 'inner.lr'\?"),
        ({"zzzz": 3}, "Known: amp, epochs, inner, name, size"),
        ({"epochs": 1.5}, "'epochs' must be an integer, not 1.5"),
        ({"epochs": True}, "'epochs' must be an integer, not True"),
        ({"amp": 1}, "'amp' must be true or false, not 1"),
        ({"name": 3}, "'name' must be text, not 3"),
        ({"size": [1]}, "'size' must be a list of 2, not"),
        ({"size": [1, "x"]}, "'size' must be an integer, not"),
        ({"inner": 3}, "'inner' is a section and needs keys, not 3"),
        ({"inner": {"mode": "slow"}}, "'inner.mode' must be 'fast' | 'exact', not 'slow'"),
        ({"inner": {"lr": "much"}}, "'inner.lr' must be a number, not 'much'"),
        ({"inner": {"lr": float("nan")}}, "'inner.lr' must be a finite number, not nan"),
        ({"inner": {"lr": "1e999"}}, "'inner.lr' must be a finite number, not '1e999'"),
        ({"inner": {"lr": 10**400}}, "'inner.lr' must be a number, not 1000"),
        ({"inner": {"channels": 1.0}}, "'inner.channels' must be 1 | 3, not 1.0"),
        ({"inner": {"channels": True}}, "'inner.channels' must be 1 | 3, not True"),
        ({"inner": {"lr": -1}}, "inner: lr must be above 0, not -1"),
        ({"inner": {"share": "x"}}, "'inner.share' must be a number or null, not 'x'"),
    ],
)
def test_a_mistake_is_one_sentence(mapping: dict, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build(Outer, [("file", mapping)])
    assert message.replace("\\?", "?") in str(caught.value)


def test_all_mistakes_are_named_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        build(Outer, [("file", {"epoch": 1, "amp": "yes", "inner": {"mode": "slow"}})])
    assert len(str(caught.value).splitlines()) == 3


@pytest.mark.parametrize("pair", ["epochs", "=3", "inner=3=4: ["])
def test_a_set_without_key_or_yaml_value_is_refused(pair: str) -> None:
    with pytest.raises(ConfigError, match="--set"):
        parse_sets([pair])


def test_a_set_below_a_value_is_refused() -> None:
    with pytest.raises(ConfigError, match="goes below"):
        parse_sets(["a=1", "a.b=2"])


def test_yaml_files(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text("epochs: 3\n")
    (tmp_path / "empty.yaml").write_text("# nothing\n")
    (tmp_path / "list.yaml").write_text("- 1\n")
    (tmp_path / "bad.yaml").write_text("a: [\n")
    assert read_yaml(tmp_path / "good.yaml") == {"epochs": 3}
    assert read_yaml(tmp_path / "empty.yaml") == {}
    for name, message in (("list", "not a list"), ("bad", "cannot be read"), ("none", "no file")):
        with pytest.raises(ConfigError, match=message):
            read_yaml(tmp_path / f"{name}.yaml")
