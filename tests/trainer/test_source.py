"""What the sources of a run have decoded, over all ranks."""

from types import SimpleNamespace

import torch

from trainer.distributed import World
from trainer.source import count_decoded


class TwoRanks(World):
    """A world whose other rank has decoded three raw images."""

    def gather(self, item: dict[str, int]) -> list[dict[str, int]]:
        return [item, {"numpy raw": 3}]


def test_counts_of_all_ranks_are_summed() -> None:
    source = SimpleNamespace(counts={"numpy raw": 1, "dali j2k": 2})
    assert count_decoded(source, TwoRanks(0, 2, 2, torch.device("cpu"))) == {
        "dali j2k": 2, "numpy raw": 4,
    }  # fmt: skip


def test_a_source_that_decodes_nothing_has_no_counts() -> None:
    world = World(0, 1, 1, torch.device("cpu"))
    assert count_decoded(SimpleNamespace(), world) == {}
