from importlib import resources

import pytest

from dali_pipelines.errors import ConfigError
from dali_pipelines.settings import build, parse_sets, read_yaml, to_dict
from trainer.settings import TrainSettings


def test_the_defaults_are_valid_and_survive_a_round_trip() -> None:
    settings, _ = build(TrainSettings)
    assert settings == TrainSettings()
    assert build(TrainSettings, [("again", to_dict(settings))])[0] == settings


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ("optim.lr=0", "lr must be above 0, not 0"),
        ("optim.lr=.nan", "'optim.lr' must be a finite number"),
        ("optim.warmup_share=1", r"in \[0, 1\)"),
        ("optim.weight_decay=-1", "0 or more"),
        ("optim.clip_norm=-1", "0 or more"),
        ("model.drop=1", r"drop must be in \[0, 1\)"),
        ("model.name=''", "a timm architecture"),
        ("data.batch=0", "1 or more"),
        ("data.batch=1", "2 or more to be balanced"),
        ("data.positive_share=1.0", r"in \(0, 1\) or null"),
        ("epochs=0", "1 or more"),
        ("seed=-1", "0 or more"),
        ("monitor=breast/auc", "breast/auc"),
        ("monitor=brest/auroc", "image|breast|exam|patient"),
        ("aggregate=meen", "no aggregation .meen.. Did you mean .mean.?"),
        ("threshold=sens900", "more than 100 percent"),
        ("speed.amp=fp8", "'auto' | 'bf16' | 'fp16' | 'off'"),
        ("optim.learning_rate=1", "no setting 'optim.learning_rate'"),
        ("loader.readers=0", "readers"),
    ],
)
def test_what_is_out_of_range_is_a_config_error(pair: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build(TrainSettings, [("--set", parse_sets([pair]))])


@pytest.mark.parametrize("name", ["default", "demo"])
def test_the_shipped_files_load_and_open_with_their_command(name: str) -> None:
    with resources.as_file(resources.files("configs") / "train" / f"{name}.yaml") as path:
        content = read_yaml(path)
        first = path.read_text("utf-8").splitlines()[0]
    build(TrainSettings, [(name, content)])
    assert first.startswith("# mammo ")


def test_the_default_file_says_what_the_defaults_are() -> None:
    with resources.as_file(resources.files("configs") / "train" / "default.yaml") as path:
        content = read_yaml(path)
    assert build(TrainSettings, [("default.yaml", content)])[0] == TrainSettings()
    assert content == to_dict(TrainSettings())
