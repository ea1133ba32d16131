import pandas as pd
import pytest
from torch import nn

from dali_pipelines.recipe import Recipe
from dali_pipelines.rejects.counts import count_verdicts
from trainer.aggregation.policy import Aggregation
from trainer.prediction.about import describe
from trainer.prediction.predict import PredictOptions
from trainer.prediction.scorers import Scorer, Scorers
from trainer.scores.trained_images import trained_images

SCORERS = Scorers((Scorer(nn.Identity(), Recipe("toy"), data="d", held_out=0),))


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        (PredictOptions(cohort="d"), 32),
        (PredictOptions(cohort="d", out_of_fold=True), 0),
        (PredictOptions(cohort="other"), None),
        (PredictOptions(), None),
    ],
)
def test_images_that_were_trained_on_are_counted_where_it_can_be_told(
    toy_frame: pd.DataFrame, options: PredictOptions, wanted: int | None
) -> None:
    about = describe(SCORERS, options, Aggregation(), count_verdicts(0, [], []), toy_frame)
    assert trained_images(about) == wanted
