"""Whether shards hold what they should: their bytes read back, or images prepared once more.

"all" reads every image back and compares its checksum with that of what was prepared: the disk
holds it, and the encoding lost nothing. It says nothing of the preparation. "canary" decodes and
prepares a few images of each shard again, on the CPU and by a loader of its own, and compares every
number with what the shard holds: the preparation gives the same again, and each row tells of its
own image. It reads few images back.
"""

from pathlib import Path
from typing import Final, Literal

import numpy as np

from dali_pipelines.errors import GateError
from dali_pipelines.inspection.sampling import choose_sample
from dali_pipelines.loader import Loader
from dali_pipelines.plan import sequential_blocks
from dali_pipelines.shards.make import as_stored, is_whole
from dali_pipelines.shards.plan import PlannedShard, ShardPlan
from dali_pipelines.shards.rows import UNREADABLE, Rows
from dali_pipelines.shards.settings import stored_recipe, stored_shape
from dali_pipelines.shards.stored_images import StoredImages

Verify = Literal["none", "canary", "all"]

_CANARIES: Final = 2  # images of a shard at least, and one of each class of codestreams


class Verifier:
    """Looks at shards; `images` counts those that it found right.

    Lossy codestreams are prepared again only with `lossy`: two decoders of one may differ by 1.
    """

    def __init__(self, how: Verify, plan: ShardPlan, *, lossy: bool) -> None:
        self.images = 0
        self._how = how
        self._plan = plan
        self._lossy = lossy

    def inspect(self, folder: Path, shard: PlannedShard, rows: Rows) -> None:
        """Raise GateError where the shard in `folder`, not committed yet, is not right."""
        if self._how == "all":
            damaged = self._damaged(folder, rows)
            if damaged:
                raise GateError(
                    f"{damaged:,} of {len(rows):,} images of {shard.folder.name} read back other "
                    "than they were written; look after the disk, then run the same command again"
                )
        self._prepare_again(folder, shard, rows)

    def accepts(self, shard: PlannedShard, rows: Rows) -> bool:
        """Whether a committed shard is undamaged; GateError where it was prepared otherwise."""
        if self._how == "all" and self._damaged(shard.folder, rows):
            return False
        self._prepare_again(shard.folder, shard, rows)
        return True

    def _damaged(self, folder: Path, rows: Rows) -> int:
        images = self._open(folder, rows)
        crc32s = [rows["crc32"][place] for place in rows.made]
        whole = sum(is_whole(images, row, crc32) for row, crc32 in enumerate(crc32s))
        self.images += whole
        return len(crc32s) - whole

    def _prepare_again(self, folder: Path, shard: PlannedShard, rows: Rows) -> None:
        if self._how != "canary":
            return
        kept = dict(zip(rows["image_id"], rows["row"], strict=True))
        records = [i.record for i in shard.images if kept[i.record.image_id] >= 0]
        records = [r for r in records if self._lossy or not r.stream.lossy]
        if not records:
            return
        sample = [records[k] for k in choose_sample(records, _CANARIES, seed=len(records))]
        images = self._open(folder, rows)
        recipe, settings = self._plan.recipe, self._plan.settings
        with Loader(sample, stored_recipe(recipe, settings), device="cpu") as loader:
            for batch in loader.run(sequential_blocks(len(sample), settings.batch)):
                again = as_stored(batch.images, settings.dtype)
                for slot in np.flatnonzero(batch.valid.numpy()).tolist():
                    name = batch.image_ids[slot]
                    self._require_equal(images, kept[name], again[slot], name)

    def _require_equal(
        self, images: StoredImages, row: int, again: np.ndarray, image_id: str
    ) -> None:
        try:
            stored = images[row]
        except UNREADABLE:
            stored = np.empty(0)
        if stored.tobytes() != again.tobytes():
            raise GateError(
                f"image {image_id} prepared once more is not what its shard holds; the file, the "
                "decoder or the disk changed it: prepare into an empty folder and compare"
            )
        self.images += 1

    def _open(self, folder: Path, rows: Rows) -> StoredImages:
        shape = stored_shape(self._plan.recipe, self._plan.settings)
        return StoredImages(folder, rows, self._plan.settings, shape)
