"""What a loader holds of the GPU's memory, and whether that grows."""

from collections.abc import Sequence
from typing import Any, Final

import torch

from benchmarks.gpu.inputs import COMPRESSED, Inputs, Note
from dali_pipelines.gpu.device import current_device
from dali_pipelines.loader import Loader
from dali_pipelines.loader_settings import LoaderSettings
from dali_pipelines.plan import sequential_blocks
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import ImageRecord

BATCH: Final = 8
_IMAGES: Final = 32
_EPOCHS: Final = 5


def measure(inputs: Inputs, note: Note) -> None:
    """For each syntax, in MiB: all that the GPU gave out, torch's part, and both by epoch."""
    torch.zeros(1, device=current_device().torch_device)
    context_mib = used_mib()
    note("context_mib", context_mib)
    for syntax in COMPRESSED:
        note(syntax, _watch(inputs.records(syntax, _IMAGES), inputs.load_recipe(), context_mib))


def _watch(records: Sequence[ImageRecord], recipe: Recipe, context_mib: int) -> dict[str, Any]:
    """The most of each epoch; freed of what other loaders left in torch's cache."""
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    by_epoch = []
    with Loader(records, recipe, LoaderSettings(), "gpu") as loader:
        for _ in range(_EPOCHS):
            most = 0
            for _batch in loader.run(sequential_blocks(len(records), BATCH)):
                most = max(most, used_mib())
            by_epoch.append(most)
    return {
        "peak_mib": max(by_epoch),
        "above_context_mib": max(by_epoch) - context_mib,
        "torch_peak_mib": torch.cuda.max_memory_reserved() >> 20,
        "by_epoch_mib": by_epoch,
    }


def used_mib() -> int:
    """What the GPU has given out, to whomever."""
    free, total = torch.cuda.mem_get_info()
    return (total - free) >> 20
