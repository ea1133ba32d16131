import copy

import pytest
import torch
from torch import nn

from dali_pipelines.errors import ConfigError
from trainer.distributed import World
from trainer.optim.frozen import apply_frozen, set_training
from trainer.optim.settings import OptimSettings, SpeedSettings
from trainer.optim.speed import amp_dtype, build_scaler, memory_format, precision, prepare_model

CPU, GPU = torch.device("cpu"), torch.device("cuda")
ALONE = World(0, 1, 1, CPU)


@pytest.mark.parametrize(
    ("device", "amp", "native", "dtype"),
    [
        (CPU, "auto", True, None),
        (CPU, "bf16", True, torch.bfloat16),
        (CPU, "off", True, None),
        (GPU, "auto", True, torch.bfloat16),
        (GPU, "auto", False, torch.float16),
        (GPU, "fp16", True, torch.float16),
        (GPU, "off", True, None),
    ],
)
def test_the_type_of_products(
    device: torch.device,
    amp: str,
    native: bool,
    dtype: torch.dtype | None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: native)
    assert amp_dtype(device, amp) == dtype


@pytest.mark.parametrize(
    ("amp", "dtype"),
    [("auto", torch.float32), ("bf16", torch.bfloat16), ("fp16", torch.float16)],
)
def test_a_forward_pass_computes_in_that_type(amp: str, dtype: torch.dtype) -> None:
    with precision(CPU, amp):
        assert nn.Linear(2, 1)(torch.zeros(1, 2)).dtype == dtype


def test_gradients_too_large_for_float16_cost_a_step_and_no_weight() -> None:
    """2 * 65536 is above 65504, the largest float16: a step is left out, and the scale halved."""
    model = nn.Linear(1, 1, bias=False)
    nn.init.ones_(model.weight)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.25)
    scaler = build_scaler(CPU, "fp16")
    weights, scales = [], []
    for _ in range(3):
        optimizer.zero_grad()
        with precision(CPU, "fp16"):
            loss = model(torch.ones(1, 1)) * 2
        scaler.scale(loss.sum()).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
        weights.append(model.weight.item())
        scales.append(scaler.get_scale())
    assert scales == [2**15, 2**14, 2**14]
    assert weights == pytest.approx([1.0, 1.0, 0.75], abs=1e-3)
    other = build_scaler(CPU, "fp16")
    other.load_state_dict(copy.deepcopy(scaler.state_dict()))
    assert other.get_scale() == 2**14


@pytest.mark.parametrize("amp", ["auto", "bf16", "off"])
def test_other_types_are_not_scaled(amp: str) -> None:
    scaler = build_scaler(CPU, amp)
    assert scaler.scale(torch.ones(1)).item() == 1
    assert scaler.state_dict() == {}


def test_channels_come_last_in_memory_and_nothing_else_changes() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3))
    images = torch.randn(2, 2, 8, 8)
    wanted = model(images)
    settings = SpeedSettings(channels_last=True)
    model = prepare_model(model, settings, ALONE)  # type: ignore[assignment]
    last = memory_format(settings)
    assert model[0].weight.is_contiguous(memory_format=last)
    found = model(images.contiguous(memory_format=last))
    assert found.is_contiguous(memory_format=last)
    torch.testing.assert_close(found, wanted)
    assert memory_format(SpeedSettings()) == torch.contiguous_format


def test_a_compiled_network_keeps_its_names_and_can_be_copied(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch, "compile", lambda call, **_: lambda *args: call(*args) + 1)
    model = nn.Linear(2, 1)
    names = list(model.state_dict())
    plain = model(torch.ones(1, 2))
    compiled = prepare_model(model, SpeedSettings(compile=True), ALONE)
    assert list(compiled.state_dict()) == names
    assert torch.equal(compiled(torch.ones(1, 2)), plain + 1)
    assert torch.equal(copy.deepcopy(compiled)(torch.ones(1, 2)), plain)  # as an average is


@pytest.mark.parametrize(
    ("size", "device", "kind"), [(2, "meta", nn.SyncBatchNorm), (1, "meta", nn.BatchNorm2d)]
)
def test_batch_norm_is_shared_among_several_gpus(
    size: int, device: str, kind: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    names = list(model.state_dict())
    monkeypatch.setattr(nn.Module, "to", lambda self, *args, **kwargs: self)  # there is no GPU
    world = World(0, size, size, GPU)
    found = prepare_model(model, SpeedSettings(sync_bn=True), world)
    assert type(found[1]) is kind  # type: ignore[index]
    assert list(found.state_dict()) == names


def test_batch_norm_cannot_be_shared_on_cpus() -> None:
    with pytest.raises(ConfigError, match="needs a GPU for each rank"):
        prepare_model(nn.Linear(1, 1), SpeedSettings(sync_bn=True), World(0, 2, 2, CPU))


@pytest.mark.slow
def test_a_compiled_network_learns_as_the_plain_one_does() -> None:
    """In training and in evaluation, and with a part frozen after it was compiled."""
    torch.manual_seed(0)
    layers = nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(72, 1)
    plain = nn.Sequential(*layers)
    compiled = prepare_model(copy.deepcopy(plain), SpeedSettings(compile=True), ALONE)
    images = torch.randn(4, 1, 8, 8)
    frozen = OptimSettings(frozen=("0", "1"), frozen_epochs=1)
    for epoch in (2, 0):
        for model in (plain, compiled):
            apply_frozen(model, frozen, epoch)
            set_training(model, True)
            model.zero_grad(set_to_none=True)
            model(images).square().mean().backward()
        for p, q in zip(plain.parameters(), compiled.parameters(), strict=True):
            assert (p.grad is None) == (q.grad is None) == (not p.requires_grad)
            if p.grad is not None:
                torch.testing.assert_close(q.grad, p.grad, rtol=1e-3, atol=1e-4)
    assert not plain[1].training
    with torch.inference_mode():
        torch.testing.assert_close(compiled.eval()(images), plain.eval()(images))
