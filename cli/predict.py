"""`mammo predict`: checkpoints and images to scores per image, breast and patient."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.progress import progress
from dali_pipelines.errors import ConfigError, DatasetError
from dali_pipelines.limits import DEFAULT_LIMIT, parse_share, require_few_rejects

if TYPE_CHECKING:
    import pandas as pd

    from dali_pipelines.verdicts import Reject
    from trainer.predict import Predictions


@dataclass(frozen=True, slots=True)
class _Input:
    """Images to score, and what else was among the inputs."""

    frame: "pd.DataFrame"
    rejects: "list[Reject]"


@click.command()
@click.argument("source", type=click.Path(path_type=Path), metavar="MANIFEST|DICOM...")
