"""Which records gave no image so far, and why."""

from collections.abc import Sequence

from dali_pipelines.records import ImageRecord
from dali_pipelines.verdicts import Reject, RejectError


class Rejections:
    """One Reject for each record that gave no image: `by_id`."""

    def __init__(self, records: Sequence[ImageRecord]) -> None:
        self._records = records
        self.by_id: dict[str, Reject] = {}

    def add(self, index: int, stage: str, error: RejectError) -> None:
        """Note that the record at `index` failed at that stage of the way."""
        record = self._records[index]
        self.by_id[record.image_id] = Reject(
            path=record.location.path,
            member=record.location.member,
            image_id=record.image_id,
            stage=stage,
            reason=error.reason,
            detail=error.detail,
        )

    @property
    def rows(self) -> list[Reject]:
        """All of them, by image_id."""
        return [self.by_id[image_id] for image_id in sorted(self.by_id)]
