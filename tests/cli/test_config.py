"""`mammo config`: resolved values, their origins, and one sentence for a mistake."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

import cli.main
from dali_pipelines.recipe import recipe_from_dict, recipe_names
from dali_pipelines.settings import build
from trainer.settings import TrainSettings


def run(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        cli.main.main(["config", *args])
    out, err = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, out, err


def documents(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
    train, recipe = yaml.safe_load_all(text)
    return train, recipe


def test_defaults_are_shown_and_load_again(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "show")
    assert (code, err) == (0, "")
    train, recipe = documents(out)
    assert build(TrainSettings, [("printed", train)])[0] == TrainSettings()
    assert recipe["name"] == "default-1536"
    assert f"# recipe, hash {recipe_from_dict(recipe).hash}" in out


def test_each_value_has_its_origin_beside_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("epochs: 3\noptim: {lr: 1e-3, clip_norm: 2}\n")
    _, out, _ = run(
        capsys, "show", "--config", str(file), "--recipe", "demo",
        "--set", "optim.lr=5e-4", "--set", "roi.mirror_share=0.125", "--set", "model.name=resnet18",
    )  # fmt: skip
    found = {
        line.split(":")[0].strip(): (line.split(":")[1].split("#")[0].strip(), line.split("# ")[1])
        for line in out.splitlines()
        if "  # " in line
    }
    assert found["epochs"] == ("3", str(file))
    assert found["lr"] == ("0.0005", "--set")
    assert found["clip_norm"] == ("2.0", str(file))
    assert found["weight_decay"] == ("0.05", "default")
    assert found["mirror_share"] == ("0.125", "--set")
    assert found["size"] == ("[256, 208]", "recipe demo")
    train, recipe = documents(out)
    assert train["model"]["name"] == "resnet18"
    assert recipe["roi"]["mirror_share"] == 0.125


def test_json_holds_settings_and_origins(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "show", "--json", "--set", "seed=7")
    found = json.loads(out)
    assert found["train"]["settings"]["seed"] == 7
    assert found["train"]["origins"]["seed"] == "--set"
    assert found["recipe"]["origins"]["resize.size"] == "recipe default-1536"
    assert found["recipe"]["hash"] == recipe_from_dict(found["recipe"]["settings"]).hash


@pytest.mark.parametrize(
    ("args", "sentence"),
    [
        (["--set", "optim.lrr=1"], "no setting 'optim.lrr'. Did you mean 'optim.lr'?"),
        (["--set", "roi.marjin=1"], "no setting 'roi.marjin'. Did you mean 'roi.auto.margin'?"),
        (["--recipe", "dem"], "no recipe 'dem'. Did you mean 'demo'?"),
        (["--config", "nowhere.yaml"], "no file 'nowhere.yaml'"),
        (["--set", "epochs"], "--set needs key=value, found 'epochs'"),
    ],
)
def test_mistakes_are_one_sentence_and_2(
    args: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, "show", *args)
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert sentence in err
    assert len(err.splitlines()) == 1


def test_a_recipe_is_named_by_its_option(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "show", "rsna-1st")
    assert (code, out) == (2, "")
    assert "a recipe is shown by --recipe rsna-1st" in err


def test_recipes_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    _, text, _ = run(capsys, "recipes")
    head, *lines = text.splitlines()
    assert head.split("  ")[0] == "recipe"
    assert [line.split()[0] for line in lines] == recipe_names()
    assert max(map(len, lines)) <= 110
    for name, about in (("default-1536", "ours"), ("rsna-1st", "first place of RSNA 2023")):
        (line,) = (line for line in lines if line.split()[0] == name)
        assert line.index(about) == head.index("what it is")
    assert "1536 x 768" in text
    _, out, _ = run(capsys, "recipes", "--json")
    (demo,) = [row for row in json.loads(out) if row["name"] == "demo"]
    assert (demo["size"], demo["roi"]) == ([256, 208], "auto")
    assert demo["about"] == "ours, for `mammo demo`"


def test_the_presets_of_augmentation_are_listed_with_whose_they_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, out, _ = run(capsys, "presets")
    assert code == 0
    rows = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert rows["none"] == "images as they are"
    assert rows["rsna-1st"] == "first place of RSNA 2023"
    assert json.loads(run(capsys, "presets", "--json")[1]) == [
        {"name": name, "about": about} for name, about in rows.items()
    ]
