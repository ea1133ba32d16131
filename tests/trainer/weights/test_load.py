"""A file's weights in a network: all but the head, fitted, counted, and refused where few match."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

from dali_pipelines.errors import CheckpointError
from trainer.networks.build import build_model
from trainer.weights import load
from trainer.weights.files import read_weight_file
from trainer.weights.fit import fold_stem, resize_biases, resize_positions
from trainer.weights.load import load_weights

ARGS: dict[str, Any] = {"model_name": "test_resnet", "in_chans": 1, "num_classes": 1}


def _weights(name: str = "test_resnet", **args: Any) -> dict[str, torch.Tensor]:
    return timm.create_model(name, pretrained=False, **args).state_dict()


def _saved(path: Path, weights: dict[str, torch.Tensor]) -> Path:
    save_file(weights, path)
    return path


def test_all_but_the_head_is_taken_and_counted(tmp_path: Path) -> None:
    weights = _weights(num_classes=7)
    model = build_model(ARGS)
    head = model.get_parameter("fc.weight").clone()
    report = load_weights(model, _saved(tmp_path / "w", weights))
    loaded = model.state_dict()
    assert torch.equal(loaded["layer1.0.conv1.weight"], weights["layer1.0.conv1.weight"])
    assert torch.equal(loaded["fc.weight"], head)
    # a gray image repeated over 3 channels gives the same as the gray image on the folded stem
    torch.testing.assert_close(
        loaded["conv1.0.weight"], weights["conv1.0.weight"].sum(1, keepdim=True)
    )
    assert report.share == 1
    assert len(report.matched) == sum(
        not name.startswith("fc.") and not name.endswith("num_batches_tracked") for name in weights
    )
    assert (report.missing, report.unexpected) == ((), ())
    assert report.reshaped == ("conv1.0.weight",)
    assert report.known is None
    assert "100.0% of the backbone), 0 missing, 0 unexpected, 1 reshaped" in report.line()


@pytest.mark.parametrize(
    "prefix", ["module.", "_orig_mod.", "backbone.", "model.module.encoder.", "a.b.c."]
)
def test_any_prefix_is_found(tmp_path: Path, prefix: str) -> None:
    weights = {prefix + name: value for name, value in _weights().items()}
    others = {"head.weight": torch.ones(2), "text.layer1.0.bn1.weight": torch.ones(2)}
    report = load_weights(build_model(ARGS), _saved(tmp_path / "w", weights | others))
    assert (report.prefix, report.share, report.unexpected) == (prefix, 1, ())


@pytest.mark.parametrize(
    "changes",
    [
        {"unit": "breast", "fusion": "attention"},
        {"unit": "exam", "fusion": "transformer", "layers": 1},
        {"hidden": 8},
        {"global_pool": "gem"},
    ],
)
def test_a_network_with_another_head_gets_its_backbone(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    weights = _weights()
    model = build_model({**ARGS, **changes})
    report = load_weights(model, _saved(tmp_path / "w", weights))
    assert set(report.missing) <= {"global_pool.p"}
    state = model.state_dict()
    taken = next(value for name, value in state.items() if name.endswith("layer4.0.conv2.weight"))
    assert torch.equal(taken, weights["layer4.0.conv2.weight"])


def _numbers(names: list[str], weights: dict[str, torch.Tensor]) -> int:
    return sum(weights[name].numel() for name in names)


def test_what_lacks_more_than_a_twentieth_is_refused(tmp_path: Path) -> None:
    weights = _weights()
    backbone = [n for n in weights if not n.startswith("fc.") and not n.endswith("tracked")]
    total = _numbers(backbone, weights)
    by_size = sorted(backbone, key=lambda name: weights[name].numel())
    largest, small = by_size[-1], by_size[: len(backbone) // 20 + 1]
    assert weights[largest].numel() > 0.05 * total
    assert _numbers(small, weights) < 0.01 * total
    for lacking in ([largest], small):  # too many numbers, too many tensors
        part = {name: value for name, value in weights.items() if name not in lacking}
        model = build_model(ARGS)
        before = {name: value.clone() for name, value in model.state_dict().items()}
        with pytest.raises(CheckpointError, match=r"another network than ResNet.*wanted 95%"):
            load_weights(model, _saved(tmp_path / "w", part))
        assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    part[small[0]] = weights[small[0]]
    report = load_weights(build_model(ARGS), _saved(tmp_path / "w", part))
    assert report.share == 1 - len(small[1:]) / len(backbone)
    assert sorted(report.missing) == sorted(small[1:])


def _statistics(weights: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: value for name, value in weights.items() if "running" not in name}


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("test_resnet", lambda: _statistics(_weights())),  # parameters() without buffers()
        ("convnext_atto", lambda: _weights("convnextv2_atto")),  # GRN for layer scale
        ("convnextv2_atto", lambda: _weights("convnext_atto")),
        ("test_vit", lambda: _weights("test_vit", init_values=1e-5)),  # with layer scale
    ],
)
def test_a_network_that_differs_in_a_few_numbers_is_refused(
    tmp_path: Path, ours: str, theirs: Any
) -> None:
    """All but 1 % of the numbers fit, and every feature would be another."""
    path = _saved(tmp_path / "w", theirs())
    size = {"img_size": [160, 160]} if "vit" in ours else {}
    with pytest.raises(CheckpointError, match="is of another network"):
        load_weights(build_model({**ARGS, "model_name": ours, **size}), path)


@pytest.mark.parametrize("dtype", [torch.int8, torch.bool, torch.complex64])
def test_numbers_of_another_kind_are_no_weights(tmp_path: Path, dtype: torch.dtype) -> None:
    weights = {name: value.to(dtype) for name, value in _weights().items()}
    with pytest.raises(CheckpointError, match="0 tensors matched"):
        load_weights(build_model(ARGS), _saved(tmp_path / "w", weights))


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64, torch.float8_e5m2])
def test_fractions_of_any_precision_are_weights(tmp_path: Path, dtype: torch.dtype) -> None:
    weights = {name: value.to(dtype) for name, value in _weights().items()}
    model = build_model(ARGS)
    assert load_weights(model, _saved(tmp_path / "w", weights)).share == 1
    name = "layer1.0.conv1.weight"
    assert torch.equal(model.state_dict()[name], weights[name].float())


def test_what_has_no_place_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file can name a tensor of any size as a layer of the network."""
    weights = _weights()
    path = _saved(tmp_path / "w", weights | {"conv1.1.bias": torch.zeros(9, 9)})
    asked: list[str] = []
    file = read_weight_file(path)
    spy = replace(file, read=lambda names: asked.extend(names := list(names)) or file.read(names))
    monkeypatch.setattr(load, "read_weight_file", lambda _: spy)
    assert load_weights(build_model(ARGS), path).missing == ("conv1.1.bias",)
    assert "conv1.1.bias" not in asked
    assert "conv1.1.weight" in asked


@pytest.mark.parametrize("order", [("student.", "teacher."), ("teacher.", "student.")])
def test_of_two_networks_in_a_file_the_one_that_fits_is_taken(
    tmp_path: Path, order: tuple[str, str]
) -> None:
    """A ResNet-50 has all names of a ResNet-18."""
    path = tmp_path / "w"
    networks = {"student.": _weights("resnet18"), "teacher.": _weights("resnet50")}
    torch.save({p + name: v for p in order for name, v in networks[p].items()}, path)
    model = build_model({**ARGS, "model_name": "resnet18"})
    assert load_weights(model, path).prefix == "student."
    name = "layer3.0.conv1.weight"
    assert torch.equal(model.state_dict()[name], networks["student."][name])


def test_a_larger_network_of_the_same_family_is_refused(tmp_path: Path) -> None:
    """Every name of a ResNet-18 is in a ResNet-34, with the same shape."""
    path = _saved(tmp_path / "w", _weights("resnet34"))
    with pytest.raises(CheckpointError, match=r"100\.0% of the backbone.*unexpected \(layer1\.2"):
        load_weights(build_model({**ARGS, "model_name": "resnet18"}), path)


def test_a_known_set_names_its_network(tmp_path: Path) -> None:
    path = _saved(tmp_path / "w", _weights("resnet18"))
    with pytest.raises(CheckpointError, match="it is for timm's 'resnet18'"):
        load_weights(build_model(ARGS), path)


def test_another_architecture_is_refused(tmp_path: Path) -> None:
    path = _saved(tmp_path / "w", _weights("test_vit"))
    with pytest.raises(CheckpointError, match=r"0 tensors matched \(0\.0% of the backbone\)"):
        load_weights(build_model(ARGS), path)


def test_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    weights = _weights()
    weights["layer4.0.conv2.weight"][0, 0, 0, 0] = float("nan")
    with pytest.raises(CheckpointError, match="weights that are no numbers"):
        load_weights(build_model(ARGS), _saved(tmp_path / "w", weights))


def test_a_transposed_matrix_is_not_taken(tmp_path: Path) -> None:
    weights = _weights("test_vit")
    name = "blocks.0.mlp.fc1.weight"
    weights[name] = weights[name].T.contiguous()
    model = build_model({**ARGS, "model_name": "test_vit", "img_size": [160, 160]})
    report = load_weights(model, _saved(tmp_path / "w", weights))
    assert (report.missing, report.unexpected) == ((name,), (name,))


def test_stems_are_folded_as_gray_images_want_it() -> None:
    weight = torch.arange(2 * 3 * 2 * 2, dtype=torch.float32).reshape(2, 3, 2, 2)
    gray = torch.rand(1, 1, 5, 5)
    one = fold_stem(weight, 1)
    assert one[0, 0, 0, 0] == 0 + 4 + 8
    wanted = nn.functional.conv2d(gray.expand(-1, 3, -1, -1), weight)
    torch.testing.assert_close(nn.functional.conv2d(gray, one), wanted)
    back = fold_stem(one, 3)
    torch.testing.assert_close(nn.functional.conv2d(gray.expand(-1, 3, -1, -1), back), wanted)
    assert torch.equal(fold_stem(weight, 1, "mean"), one / 3)
    assert fold_stem(weight, 3) is weight
    assert fold_stem(weight, 2) is weight  # there is no such image: left to be reported


def test_a_stem_is_folded_as_the_settings_say(tmp_path: Path) -> None:
    weights = _weights()
    model = build_model(ARGS)
    load_weights(model, _saved(tmp_path / "w", weights), "mean")
    torch.testing.assert_close(
        model.state_dict()["conv1.0.weight"], weights["conv1.0.weight"].mean(1, keepdim=True)
    )


@pytest.mark.parametrize("size", [[64, 96], [320, 160], [160, 160]])
def test_positions_are_resampled_to_any_size(tmp_path: Path, size: list[int]) -> None:
    weights = _weights("test_vit")  # 10 x 10 patches
    rows = torch.arange(10.0).repeat_interleave(10)
    weights["pos_embed"][0, 0], weights["pos_embed"][0, 1:] = -7, rows[:, None]
    model = build_model({**ARGS, "model_name": "test_vit", "img_size": size})
    report = load_weights(model, _saved(tmp_path / "w", weights))
    assert report.share == 1
    positions = model.get_parameter("pos_embed")
    assert torch.all(positions[0, 0] == -7)  # the class token has no place
    grid = positions[0, 1:, 0].reshape(size[0] // 16, size[1] // 16)
    torch.testing.assert_close(grid, grid[:, :1].expand_as(grid))  # columns are alike
    assert torch.all(grid.diff(dim=0) > 0)  # rows rise
    assert abs(grid.mean() - 4.5) < 0.1


def test_positions_of_no_square_are_left_alone() -> None:
    model = timm.create_model("test_vit", pretrained=False, img_size=(64, 96))
    odd = torch.zeros(1, 1 + 15, 64)
    assert resize_positions(odd, model) is odd


def test_swin_biases_are_resampled_to_smaller_windows(tmp_path: Path) -> None:
    table = torch.arange(13.0).repeat_interleave(13)[:, None]  # a window of 7: rows rise
    assert resize_biases(table, (7, 7)) is table
    small = resize_biases(table, (4, 3)).reshape(7, 5)
    torch.testing.assert_close(small, small[:, :1].expand_as(small))
    assert torch.all(small.diff(dim=0) > 0)
    torch.testing.assert_close(small[3, 0], torch.tensor(6.0))  # the middle stays the middle
    args = {"model_name": "swin_tiny_patch4_window7_224", "img_size": [128, 96]}
    path = _saved(tmp_path / "w", _weights("swin_tiny_patch4_window7_224"))
    assert load_weights(build_model({**ARGS, **args}), path).share == 1
