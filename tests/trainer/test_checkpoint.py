import dataclasses
import math
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

from dali_pipelines.errors import CheckpointError, DamagedError
from trainer.checkpoint import (
    Checkpoint,
    load_checkpoint,
    load_latest,
    restore_model,
    save_checkpoint,
)
from trainer.checksums import checksum_path
from trainer.tensor_file import read_tensors


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
        tallies=[[1.25, 12.0]],
        data="f" * 64,
        best={"metric": "val/breast/auroc", "value": 0.75, "epoch": 1},
        history=[{"epoch": 1, "val/breast/auroc": None}],
        versions={"torch": "2"},
        ema={"weight": torch.arange(3.0)},
        scaler={"scale": 65536.0, "_growth_tracker": 3},
        steps=11,
        world_size=1,
        class_prior=0.02,
        threshold=0.4,
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
    assert sorted(p.name for p in tmp_path.iterdir()) == ["last.pt", "last.pt.sha256"]
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
    assert sorted(p.name for p in tmp_path.iterdir()) == ["last.pt", "last.pt.sha256"]


def _save_alone(checkpoint: Checkpoint, path: Path) -> None:
    """A checkpoint that somebody took elsewhere without its SHA-256."""
    save_checkpoint(checkpoint, path)
    checksum_path(path).unlink()


def test_a_flipped_byte_is_found_by_the_digest_wherever_it_is(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    path = tmp_path / "last.pt"
    save_checkpoint(checkpoint, path)
    whole = path.read_bytes()
    for place in np.random.default_rng(1).choice(len(whole), 50, replace=False):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(DamagedError, match="its SHA-256 is not"):
            load_checkpoint(path)


def test_a_flipped_byte_is_found_or_changes_nothing(checkpoint: Checkpoint, tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    _save_alone(checkpoint, path)
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
    _save_alone(checkpoint, path)
    whole = path.read_bytes()
    place = whole.index(checkpoint.model["weight"].numpy().tobytes())
    path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    with pytest.raises(CheckpointError, match=r"damaged.*checksum"):
        load_checkpoint(path)


def test_a_record_that_became_a_folder_is_found(checkpoint: Checkpoint, tmp_path: Path) -> None:
    """torch would fill its tensor with whatever is in memory, and every CRC-32 still holds."""
    path = tmp_path / "last.pt"
    _save_alone(checkpoint, path)
    with zipfile.ZipFile(path) as archive:
        start = archive.start_dir
    whole = bytearray(path.read_bytes())
    place = whole.index(b"archive/data/0", start) - 46 + 38  # APPNOTE 4.3.12: external attributes
    whole[place] ^= 0x10
    path.write_bytes(whole)
    with pytest.raises(DamagedError, match="record archive/data/0 fails"):
        load_checkpoint(path)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.5, 0.99, 0.9999])
def test_a_file_cut_short_is_found(checkpoint: Checkpoint, tmp_path: Path, share: float) -> None:
    path = tmp_path / "last.pt"
    _save_alone(checkpoint, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(DamagedError, match=r"cut short|no torch zip"):
        load_checkpoint(path)


def _damage(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 1
    path.write_bytes(whole)


@pytest.mark.parametrize("harm", [_damage, lambda path: path.write_bytes(b"")])
def test_where_the_last_one_is_damaged_the_one_before_goes_on(
    checkpoint: Checkpoint, tmp_path: Path, caplog: pytest.LogCaptureFixture, harm: Any
) -> None:
    last, previous = tmp_path / "last.pt", tmp_path / "previous.pt"
    assert load_latest(tmp_path) is None
    for epoch in (3, 4, 5):
        save_checkpoint(dataclasses.replace(checkpoint, epoch=epoch), last, previous)
    assert _latest(tmp_path) == (last, 5)
    assert caplog.messages == []
    harm(last)
    assert _latest(tmp_path) == (previous, 4)
    assert caplog.messages == ["last.pt is damaged; going on from previous.pt"]
    last.unlink()  # a crash between two renamings
    assert _latest(tmp_path) == (previous, 4)
    save_checkpoint(dataclasses.replace(checkpoint, epoch=6), last, previous)
    assert _latest(tmp_path) == (last, 6)
    _damage(last)
    _damage(previous)
    with pytest.raises(DamagedError, match=r"previous\.pt"):
        load_latest(tmp_path)
    previous.unlink()
    with pytest.raises(DamagedError, match=r"last\.pt"):
        load_latest(tmp_path)


def _latest(folder: Path) -> tuple[Path, int]:
    found = load_latest(folder)
    assert found is not None
    return found[0], found[1].epoch


def test_a_last_one_of_another_version_is_no_reason_to_take_an_older_one(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    save_checkpoint(checkpoint, tmp_path / "previous.pt")
    torch.save({"format": "mammostream-checkpoint", "format_version": 99}, tmp_path / "last.pt")
    with pytest.raises(CheckpointError, match="format 99"):
        load_latest(tmp_path)


@pytest.mark.parametrize(
    ("part", "place"),
    [
        ({"history": [{"epoch": 1, "auroc": np.float64(0.5)}]}, r"\['history'\]\[0\]\['auroc'\]"),
        ({"settings": {"out": Path("/x")}}, r"\['settings'\]\['out'\]"),
        ({"best": {"value": {1, 2}}}, r"\['best'\]\['value'\]"),
    ],
)
def test_what_could_not_be_opened_again_is_not_written(
    checkpoint: Checkpoint, tmp_path: Path, part: dict[str, Any], place: str
) -> None:
    with pytest.raises(TypeError, match=place):
        save_checkpoint(dataclasses.replace(checkpoint, **part), tmp_path / "last.pt")
    assert list(tmp_path.iterdir()) == []


def test_each_rank_goes_on_from_its_own_sum(checkpoint: Checkpoint) -> None:
    two = dataclasses.replace(checkpoint, tallies=[[0.1, 2.0], [0.2, 3.0]])
    assert [two.tally_of(rank, 2) for rank in (0, 1)] == two.tallies
    assert two.tally_of(0, 1) == [math.fsum([0.1, 0.2]), 5.0]
    assert [two.tally_of(rank, 3)[1] for rank in range(3)] == [5.0, 0.0, 0.0]
    none = dataclasses.replace(checkpoint, tallies=[])
    assert none.tally_of(0, 1) == none.tally_of(1, 2) == [0.0, 0.0]


def test_the_moving_average_is_what_scores(checkpoint: Checkpoint) -> None:
    assert checkpoint.weights is checkpoint.ema
    assert dataclasses.replace(checkpoint, ema={}).weights is checkpoint.model


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
    with pytest.raises(CheckpointError, match="no mammostream-checkpoint that"):
        load_checkpoint(path)


def test_another_version_or_a_missing_part_is_said(checkpoint: Checkpoint, tmp_path: Path) -> None:
    path = tmp_path / "x.pt"
    content = {"format": "mammostream-checkpoint", "format_version": 99}
    torch.save(content, path)
    with pytest.raises(CheckpointError, match=r"format 99.*reads format 2"):
        load_checkpoint(path)
    torch.save({**content, "format_version": 2, "model": {}}, path)
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
