import json
import platform

import torch

from trainer.distributed import World
from trainer.environment import environment, versions


def test_versions_name_what_a_result_depends_on() -> None:
    assert {"python", "torch", "timm", "numpy"} <= versions().keys()
    assert "absent" not in {versions()["torch"], versions()["timm"]}


def test_an_environment_is_plain_and_names_no_one() -> None:
    facts = environment(World(0, 4, 2, torch.device("cpu")))
    assert (facts["device"], facts["world_size"], facts["local_size"]) == ("cpu", 4, 2)
    assert platform.node() not in json.dumps(facts)
