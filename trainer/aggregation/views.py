"""Which images of a breast take part in its score: repeated, odd and implant-displaced views.

The policies, each stated for one breast of one exam:

- `repeated`: a view that was taken more than once has the same name and the same modifiers. "all"
  counts each image, so that a view taken twice weighs twice in a mean; "mean" counts the mean of
  its images as one. An image of unknown view repeats none. Where a network scored breasts or
  exams, images have no score of their own and the policy changes nothing.
- `odd`: other than CC and MLO, or with a modifier other than implant-displaced (spot, magnified,
  rolled, ...). "keep" counts them; "drop" leaves them out where the breast has an image that is not
  odd. An unknown view is not odd.
- `implants`: a view that was taken both with the implant displaced (CCID, MLOID) and in full. "all"
  counts both, "displaced" or "full" the one kind where there are both; a view that was taken in
  one way only counts as it is, and so does an image of unknown view.

A breast never loses its last image. What is missing, a view or a breast, is simply absent: nothing
stands in for it, and the counts of the tables show it. Labels come from all images.
"""

from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dali_pipelines.errors import DatasetError
from dali_pipelines.records import IMPLANT_DISPLACED
from trainer.aggregation.policy import Aggregation

Mask = NDArray[np.bool_]
Ints = NDArray[np.int64]

MODIFIER_MARK: Final = ";"  # between the modifiers of a view in a table of scores
_USUAL: Final = ("CC", "MLO", "")


def counted(images: pd.DataFrame, breasts: Ints, how: Aggregation) -> Mask:
    """Which images (n,) take part; `breasts` (n,) are codes of the breast of each.

    Raises DatasetError where a policy needs the column view and there is none.
    """
    keep = np.ones(len(images), dtype=np.bool_)
    if how.implants == "all" and how.odd == "keep":
        return keep
    views, modifiers = _views(images)
    if how.implants != "all":
        displaced = _has_modifier(modifiers, IMPLANT_DISPLACED)
        wanted = displaced if how.implants == "displaced" else ~displaced
        keep &= wanted | ~_any(wanted, _view_codes(views, _strip(modifiers), breasts))
    if how.odd == "drop":
        usual = views.isin(_USUAL).to_numpy() & _strip(modifiers).eq("").to_numpy()
        keep &= usual | ~_any(usual & keep, breasts)
    return keep


def find_repeats(images: pd.DataFrame, breasts: Ints) -> Ints:
    """A code (n,) that images of the same view of one breast share."""
    return _view_codes(*_views(images), breasts)


def _views(images: pd.DataFrame) -> tuple["pd.Series[str]", "pd.Series[str]"]:
    if "view" not in images.columns:
        raise DatasetError(
            "the predictions lack the column view, which the policies for repeated, odd and "
            "implant-displaced views need; predict again, or aggregate without these policies"
        )
    nothing = pd.Series("", index=images.index)
    modifiers = images["view_modifiers"] if "view_modifiers" in images.columns else nothing
    return images["view"].fillna("").astype("string"), modifiers.fillna("").astype("string")


def _strip(modifiers: "pd.Series[str]") -> "pd.Series[str]":
    """The modifiers without that of a displaced implant."""
    parts = modifiers.str.split(MODIFIER_MARK)
    return parts.map(lambda names: MODIFIER_MARK.join(n for n in names if n != IMPLANT_DISPLACED))


def _has_modifier(modifiers: "pd.Series[str]", name: str) -> Mask:
    marked = MODIFIER_MARK + modifiers + MODIFIER_MARK
    found = marked.str.contains(MODIFIER_MARK + name + MODIFIER_MARK, regex=False)
    return found.to_numpy(np.bool_)


def _view_codes(views: "pd.Series[str]", modifiers: "pd.Series[str]", breasts: Ints) -> Ints:
    """A code of the breast, view and modifiers of each image; of its own where that is unknown."""
    own = "?" + pd.Series(range(len(views)), index=views.index).astype("string")
    names = views.where(views != "", own)
    keys = pd.DataFrame({"breast": breasts, "view": names, "modifiers": modifiers})
    return keys.groupby(["breast", "view", "modifiers"]).ngroup().to_numpy().astype(np.int64)


def _any(mask: Mask, groups: Ints) -> Mask:
    """Whether any of its group is marked, for each (n,)."""
    found = np.bincount(groups, weights=mask, minlength=1) > 0
    return found[groups]
