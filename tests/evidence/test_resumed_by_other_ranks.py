"""A run may go on with other ranks: they learn exactly what is left of the epoch."""

import random
from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd
import pytest

from tests.evidence.lives import Life, Undisturbed, cursor, die, learned
from tests.evidence.resumed_settings import BATCH, SETTINGS
from tests.evidence.small_study import write_study
from tests.evidence.training_runs import Death, Study, finish
