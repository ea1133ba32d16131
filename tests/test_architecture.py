"""The rules of the tree, read from its source; nothing of it is imported.

Each rule is a function from a root folder to a list of offences, so that the second half of this
file can show on a tiny tree that the rule notices what it forbids.
"""

import ast
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAYERS = ("dali_pipelines", "trainer", "benchmarks", "cli")  # each may import those before it
MAX_LINES = 300
OWNERS = {  # library -> the only places that may import it
    "cupy": ("dali_pipelines/gpu/",),
    "cupyx": ("dali_pipelines/gpu/",),
    "nvidia": ("dali_pipelines/graph.py",),
}
HEAVY = {
    *("cupy", "highdicom", "imagecodecs", "matplotlib", "numpy", "nvidia", "pandas", "pyarrow"),
    *("pydicom", "safetensors", "scipy", "sklearn", "timm", "torch", "torchvision"),
}

Rule = Callable[[Path], list[str]]


def sources(root: Path, *packages: str) -> Iterator[tuple[str, ast.Module]]:
    """(path relative to the root, parsed source) of each file of the packages."""
    for package in packages or LAYERS:
        for path in sorted((root / package).rglob("*.py")):
            yield path.relative_to(root).as_posix(), ast.parse(path.read_text("utf-8"))


def imports(tree: ast.AST) -> Iterator[str]:
    """The dotted names that a source imports anywhere, also by a constant import_module."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            name = node.args[0]
            if isinstance(name, ast.Constant):
                yield str(name.value)
            elif isinstance(name, ast.JoinedStr) and isinstance(name.values[0], ast.Constant):
                yield str(name.values[0].value)


def imported_at_load(statements: list[ast.stmt]) -> Iterator[str]:
    """What is imported when a module is: outside functions and `if TYPE_CHECKING`."""
    for node in statements:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from imported_at_load(node.orelse)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from imports(node)
        else:
            inner = [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt)]
            handlers = [h for h in ast.iter_child_nodes(node) if isinstance(h, ast.ExceptHandler)]
            yield from imported_at_load(inner + [s for h in handlers for s in h.body])


def layers_point_down(root: Path) -> list[str]:
    """dali_pipelines <- trainer <- benchmarks <- cli, and nobody imports tests."""
    offences = []
    for path, tree in sources(root):
        own = LAYERS.index(path.split("/")[0])
        for name in imports(tree):
            top = name.split(".")[0]
            if top == "tests" or (top in LAYERS and LAYERS.index(top) > own):
                offences.append(f"{path} imports {name}")
    return offences


def devices_are_apart(root: Path) -> list[str]:
    """cpu/ and gpu/ never import each other."""
    return [
        f"{path} imports {name}"
        for device, other in (("cpu", "gpu"), ("gpu", "cpu"))
        for path, tree in sources(root, f"dali_pipelines/{device}")
        for name in imports(tree)
        if f"{name}.".startswith(f"dali_pipelines.{other}.")
    ]


def libraries_have_owners(root: Path) -> list[str]:
    """CuPy and DALI are imported only where OWNERS says."""
    return [
        f"{path} imports {name}"
        for path, tree in sources(root)
        for name in imports(tree)
        if not path.startswith(OWNERS.get(name.split(".")[0], ("",)))
    ]


def twins_agree(root: Path) -> list[str]:
    """A file in both cpu/ and gpu/ has the same public functions with the same arguments."""
    cpu, gpu = (
        {path.split("/", 2)[2]: _signatures(tree) for path, tree in sources(root, folder)}
        for folder in ("dali_pipelines/cpu", "dali_pipelines/gpu")
    )
    return [
        f"{name}: cpu has {cpu[name]}, gpu has {gpu[name]}"
        for name in sorted(cpu.keys() & gpu.keys())
        if cpu[name] != gpu[name]
    ]


def _signatures(tree: ast.Module) -> dict[str, list[str]]:
    functions = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name[0] != "_"]
    return {
        f.name: [
            *(a.arg for a in f.args.posonlyargs + f.args.args),
            *(f"{a.arg}=" for a in f.args.kwonlyargs),
        ]
        for f in functions
    }


def files_are_short(root: Path) -> list[str]:
    """No source file passes MAX_LINES."""
    offences = []
    for path, _ in sources(root):
        lines = len((root / path).read_text("utf-8").splitlines())
        if lines > MAX_LINES:
            offences.append(f"{path} has {lines} lines")
    return offences


def imports_are_absolute(root: Path) -> list[str]:
    """No `from . import x`."""
    return [
        f"{path}:{node.lineno} imports relatively"
        for path, tree in sources(root)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.level
    ]


def names_are_our_own(root: Path) -> list[str]:
    """No module or package shadows one of the standard library when run from its folder."""
    return [
        f"{path} is named like a standard module"
        for path, _ in sources(root)
        for part in Path(path).with_suffix("").parts
        if part in sys.stdlib_module_names
    ]


def commands_load_light(root: Path) -> list[str]:
    """cli/ imports heavy libraries inside functions only, so that --help is quick."""
    return [
        f"{path} imports {name} when it is loaded"
        for path, tree in sources(root, "cli")
        for name in imported_at_load(tree.body)
        if name.split(".")[0] in HEAVY
    ]


RULES: tuple[Rule, ...] = (
    layers_point_down,
    devices_are_apart,
    libraries_have_owners,
    twins_agree,
    files_are_short,
    imports_are_absolute,
    names_are_our_own,
    commands_load_light,
)


def test_there_is_a_tree_to_read() -> None:
    assert {path.split("/")[0] for path, _ in sources(ROOT)} == set(LAYERS)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_tree_keeps_the_rule(rule: Rule) -> None:
    assert rule(ROOT) == []


CPU, GPU = "dali_pipelines/cpu/roi.py", "dali_pipelines/gpu/roi.py"


@pytest.mark.parametrize(
    ("rule", "files"),
    [
        (layers_point_down, {"dali_pipelines/a.py": "def f():\n    from trainer import model"}),
        (layers_point_down, {"trainer/a.py": "import benchmarks.machine"}),
        (layers_point_down, {"benchmarks/a.py": "import_module('cli.x')"}),
        (layers_point_down, {"cli/a.py": "import tests.conftest"}),
        (devices_are_apart, {CPU: "from dali_pipelines import gpu"}),
        (devices_are_apart, {GPU: "import dali_pipelines.cpu.roi as truth"}),
        (libraries_have_owners, {"trainer/a.py": "try:\n    import cupy\nfinally: pass"}),
        (libraries_have_owners, {"dali_pipelines/a.py": "from nvidia.dali import fn"}),
        (twins_agree, {CPU: "def roi(a, center): ...", GPU: "def roi(a, centre): ..."}),
        (twins_agree, {CPU: "def roi(a): ...", GPU: "def roi(a): ...\ndef crop(a): ..."}),
        (twins_agree, {CPU: "def roi(a, *, b): ...", GPU: "def roi(a, b): ..."}),
        (files_are_short, {"cli/a.py": "x = 1\n" * (MAX_LINES + 1)}),
        (imports_are_absolute, {"trainer/a.py": "from . import b"}),
        (imports_are_absolute, {"trainer/a.py": "def f():\n    from ..x import b"}),
        (names_are_our_own, {"dali_pipelines/types.py": ""}),
        (names_are_our_own, {"cli/json/x.py": ""}),
        (commands_load_light, {"cli/a.py": "import numpy as np"}),
        (commands_load_light, {"cli/a.py": "try:\n    x = 1\nexcept E:\n    import torch.nn"}),
        (commands_load_light, {"cli/a.py": "class A:\n    from pandas import DataFrame"}),
    ],
)  # fmt: skip
def test_the_rule_notices(rule: Rule, files: dict[str, str], tmp_path: Path) -> None:
    _write(tmp_path, files)
    assert len(rule(tmp_path)) == 1


def test_the_rules_let_good_code_pass(tmp_path: Path) -> None:
    _write(
        tmp_path,
        {
            "cli/a.py": "from typing import TYPE_CHECKING\nimport click\nfrom trainer import m\n"
            "if TYPE_CHECKING:\n    import torch\ndef f():\n    import numpy",
            "benchmarks/a.py": "import trainer.m, dali_pipelines.loader\nimport numpy",
            "trainer/m.py": "x = 1\n" * MAX_LINES,
            "dali_pipelines/graph.py": "from nvidia.dali import fn",
            CPU: "import numpy\ndef roi(a, b): ...\ndef _own(z): ...",
            GPU: "import cupy\ndef roi(a, b): ...",
            "dali_pipelines/cpu/alone.py": "def decode(a): ...",
        },
    )
    assert [offence for rule in RULES for offence in rule(tmp_path)] == []


def _write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
