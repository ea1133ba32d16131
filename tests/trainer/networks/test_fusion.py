import math

import pytest
import torch

from trainer.networks.fusion import GatedAttention, make_fusion

KINDS = ("concat", "max", "attention", "transformer")
PRESENT = torch.tensor([[1, 1, 1, 1], [1, 0, 1, 1], [0, 0, 0, 1], [0, 0, 0, 0]]).bool()


def fuse(kind: str, features: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
    torch.manual_seed(0)
    fusion = make_fusion(kind, features.shape[2], features.shape[1], 1, 0.0)
    vectors = fusion(features, present)
    assert vectors.shape == (len(features), fusion.width)
    return vectors


def test_concatenation_leaves_zeros_for_a_missing_view() -> None:
    features = torch.tensor([[[1.0, 2], [0, 0], [3, 4]]])
    present = torch.tensor([[True, False, True]])
    assert fuse("concat", features, present).tolist() == [[1, 2, 0, 0, 3, 4]]


def test_the_maximum_is_over_the_views_that_are_there() -> None:
    features = torch.tensor([[[-1.0, 2], [0, 0], [-3, 4]], [[0.0, 0], [0, 0], [0, 0]]])
    present = torch.tensor([[True, False, True], [False, False, False]])
    assert fuse("max", features, present).tolist() == [[-1, 4], [0, 0]]


def test_attention_weighs_by_the_softmax_of_gated_scores() -> None:
    fusion = GatedAttention(1)
    with torch.no_grad():
        for name, value in {"content": 1.0, "gate": 2.0, "score": 1 / 128}.items():
            getattr(fusion, name).weight.fill_(value)
            getattr(fusion, name).bias.zero_()
    features, present = torch.tensor([[[0.5], [-1.0], [0.0]]]), torch.tensor([[True, True, False]])
    scores = [math.tanh(x) / (1 + math.exp(-2 * x)) for x in (0.5, -1.0)]
    shares = [math.exp(s) / sum(map(math.exp, scores)) for s in scores]
    expected = 0.5 * shares[0] - 1.0 * shares[1]
    assert fusion(features, present).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kind", ["max", "attention"])
def test_the_order_of_views_means_nothing_to_a_pool(kind: str) -> None:
    features = torch.randn(4, 4, 6)
    order = torch.tensor([2, 0, 3, 1])
    turned = fuse(kind, features[:, order], PRESENT[:, order])
    torch.testing.assert_close(turned, fuse(kind, features, PRESENT))


@pytest.mark.parametrize("order", [[1, 0, 3, 2], [2, 3, 0, 1]], ids=["views", "sides"])
def test_a_transformer_tells_views_and_sides_apart(order: list[int]) -> None:
    features, present = torch.randn(1, 4, 6), torch.ones(1, 4).bool()
    turned = fuse("transformer", features[:, order], present)
    assert (turned - fuse("transformer", features, present)).abs().max() > 1e-4


def test_a_transformer_looks_at_the_views_that_are_there_alone() -> None:
    features = torch.randn(4, 4, 6)
    other = torch.where(PRESENT[..., None], features, features + 7)
    torch.testing.assert_close(
        fuse("transformer", other, PRESENT), fuse("transformer", features, PRESENT)
    )
    assert not torch.equal(
        fuse("transformer", features + 7, PRESENT), fuse("transformer", features, PRESENT)
    )


def test_a_breast_has_two_views_and_one_side() -> None:
    fusion = make_fusion("transformer", 6, 2, 2, 0.0)
    names = {name: tuple(p.shape) for name, p in fusion.named_parameters(recurse=False)}
    assert names == {"unit": (1, 1, 512), "view": (2, 512), "side": (1, 512)}
    assert fusion(torch.randn(3, 2, 6), torch.ones(3, 2).bool()).shape == (3, 512)


@pytest.mark.parametrize("kind", KINDS)
def test_a_unit_without_views_has_finite_vectors_and_gradients(kind: str) -> None:
    features = torch.where(PRESENT[..., None], torch.randn(4, 4, 6), 0).requires_grad_()
    vectors = fuse(kind, features, PRESENT)
    vectors.square().sum().backward()
    assert vectors.isfinite().all()
    assert features.grad.isfinite().all()
