import dataclasses
import os
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from dali_pipelines.errors import CheckpointError
from trainer.checkpoint import (
    Checkpoint,
    load_checkpoint,
    read_tensors,
    restore_model,
    save_checkpoint,
)


@pytest.fixture
def checkpoint() -> Checkpoint:
    model = nn.Linear(3, 1)
    optimizer = torch.optim.AdamW(model.parameters())
    model(torch.ones(2, 3)).sum().backward()
    optimizer.step()
    return Checkpoint(
        model=model.state_dict(),
        model_args={"model_name": "x", "in_chans": 1},
        recipe={"name": "demo", "resize": {"size": [8, 8]}},
        recipe_hash="0123456789ab",
        settings={"epochs": 3, "data": {"positive_share": None}},
        optimizer=optimizer.state_dict(),
        epoch=2,
        blocks=7,
        tally=[1.25, 12.0],
        data="f" * 64,
        best={"metric": "val/breast/auroc", "value": 0.75, "epoch": 1},
        history=[{"epoch": 1, "val/breast/auroc": None}],
        versions={"torch": "2"},
    )


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_equal(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(_equal(x, y) for x, y in zip(a, b, strict=True))
    return bool(a == b)


def _same(a: Checkpoint, b: Checkpoint) -> bool:
    return all(
        _equal(getattr(a, f.name), getattr(b, f.name)) for f in dataclasses.fields(Checkpoint)
    )


def test_a_checkpoint_comes_back_as_it_was(checkpoint: Checkpoint, tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    save_checkpoint(checkpoint, path)
    assert _same(load_checkpoint(path), checkpoint)
    assert [p.name for p in tmp_path.iterdir()] == ["last.pt"]
    assert torch.load(path, weights_only=True)["format"] == "mammostream-checkpoint"


def test_the_bytes_depend_on_the_content_alone(checkpoint: Checkpoint, tmp_path: Path) -> None:
    for name in ("a.pt", "b.pt"):
        save_checkpoint(checkpoint, tmp_path / name)
    assert (tmp_path / "a.pt").read_bytes() == (tmp_path / "b.pt").read_bytes()


def test_the_old_one_stays_until_the_new_one_is_whole(
    checkpoint: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "last.pt"
    save_checkpoint(checkpoint, path)

    def full_disk(content: object, file: Any) -> None:
        file.write(b"half")
        raise RuntimeError("No space left on device")

    monkeypatch.setattr(torch, "save", full_disk)
    with pytest.raises(CheckpointError, match=r"cannot write.*full disk; make room"):
        save_checkpoint(dataclasses.replace(checkpoint, epoch=3), path)
    assert load_checkpoint(path).epoch == 2
    assert [p.name for p in tmp_path.iterdir()] == ["last.pt"]


def test_a_flipped_byte_is_found_or_changes_nothing(checkpoint: Checkpoint, tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    save_checkpoint(checkpoint, path)
    whole = path.read_bytes()
    found = 0
    # one byte of 32 at random under a fixed seed, and all of the directory at the end
    places = np.random.default_rng(0).choice(len(whole), len(whole) // 32, replace=False)
    for place in {*places.tolist(), *range(len(whole) - 100, len(whole))}:
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            loaded = load_checkpoint(path)
        except CheckpointError:
            found += 1
        else:
            assert _same(loaded, checkpoint), f"byte {place} changed the content unnoticed"
    assert found > 100


def test_a_flipped_byte_of_a_weight_is_found(checkpoint: Checkpoint, tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    save_checkpoint(checkpoint, path)
    whole = path.read_bytes()
    place = whole.index(checkpoint.model["weight"].numpy().tobytes())
    path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    with pytest.raises(CheckpointError, match=r"damaged.*checksum"):
        load_checkpoint(path)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.99, 0.9999])
def test_a_file_cut_short_is_found(checkpoint: Checkpoint, tmp_path: Path, share: float) -> None:
    path = tmp_path / "last.pt"
    save_checkpoint(checkpoint, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(CheckpointError, match=r"cut short|no torch zip"):
        load_checkpoint(path)


class _Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("boom",)


@pytest.mark.parametrize("way", ["torch", "pickle"])
def test_a_file_that_would_run_code_is_not_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "bomb.pt"
    if way == "torch":
        torch.save({"format": "mammostream-checkpoint", "model": _Bomb()}, path)
    else:
        path.write_bytes(pickle.dumps(_Bomb()))
    with pytest.raises(CheckpointError, match=r"more than plain tensors|no torch zip"):
        load_checkpoint(path)
    assert not (tmp_path / "boom").exists()


def test_other_files_are_not_taken_for_checkpoints(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no checkpoint"):
        load_checkpoint(tmp_path / "absent.pt")
    with pytest.raises(CheckpointError, match="no checkpoint"):
        load_checkpoint(tmp_path)
    for name in ("last.pt", "best.pt"):
        (tmp_path / name).touch()
    with pytest.raises(CheckpointError, match=r"which is a folder; name '.*best\.pt' in it"):
        load_checkpoint(tmp_path)
    path = tmp_path / "x.pt"
    path.write_text("some text")
    with pytest.raises(CheckpointError, match="no torch zip"):
        load_checkpoint(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.txt", "hello")
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_checkpoint(path)
    torch.save([1, 2], path)
    with pytest.raises(CheckpointError, match="holds a list"):
        load_checkpoint(path)
    torch.save(OrderedDict(weight=torch.ones(2)), path)
    with pytest.raises(CheckpointError, match="no checkpoint of `mammo train`"):
        load_checkpoint(path)


def test_another_version_or_a_missing_part_is_said(checkpoint: Checkpoint, tmp_path: Path) -> None:
    path = tmp_path / "x.pt"
    content = {"format": "mammostream-checkpoint", "format_version": 99}
    torch.save(content, path)
    with pytest.raises(CheckpointError, match=r"format 99.*reads format 1"):
        load_checkpoint(path)
    torch.save({**content, "format_version": 1, "model": {}}, path)
    with pytest.raises(CheckpointError, match="lacks model_args, recipe"):
        load_checkpoint(path)


def test_safetensors_are_read_and_damage_to_their_header_is_found(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    save_file({"weight": torch.arange(3.0)}, path)
    assert torch.equal(read_tensors(path)["weight"], torch.arange(3.0))
    path.write_bytes(path.read_bytes()[:20])
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        read_tensors(path)


def test_weights_of_another_network_are_refused(checkpoint: Checkpoint) -> None:
    restore_model(nn.Linear(3, 1), checkpoint.model, "it")
    with pytest.raises(CheckpointError, match=r"it is of another network than Linear: .*\[1, 3\]"):
        restore_model(nn.Linear(4, 1), checkpoint.model, "it")
    with pytest.raises(CheckpointError, match="another network than Sequential: Missing"):
        restore_model(nn.Sequential(nn.Linear(3, 1)), checkpoint.model, "it")
