"""The facts in committed results: there, plain, and nobody's secret."""

import getpass
import json
import platform
from pathlib import Path

from benchmarks import machine


def test_facts_are_json_and_name_no_host_user_or_path() -> None:
    text = json.dumps(machine.machine_facts())
    assert f'"{platform.node()}"' not in text
    assert str(Path.home()) not in text
    assert f'"{getpass.getuser()}"' not in text
    facts = json.loads(text)
    assert facts["cores"] >= 1
    assert facts["memory_gib"] > 0
    assert facts["packages"]["numpy"].split(".")[0].isdigit()


def test_cpu_and_gpu_names_are_read_from_the_system(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\n")
    assert machine.cpu_model(cpuinfo) == "Some CPU @ 2 GHz"
    (tmp_path / "0000:01:00.0").mkdir()
    (tmp_path / "0000:01:00.0" / "information").write_text("Model: \t NVIDIA H200\nIRQ: 9\n")
    assert machine.gpu_models(tmp_path) == ["NVIDIA H200"]
    assert machine.gpu_models(tmp_path / "absent") == []
