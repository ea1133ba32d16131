"""No pickle, no network, no code from data: read from the source, as in test_architecture."""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.test_architecture import ROOT, imports, sources

Rule = Callable[[Path], list[str]]

PICKLES = {"cloudpickle", "dill", "joblib", "marshal", "pickle", "shelve"}
NETWORK = {
    *("aiohttp", "boto3", "fsspec", "ftplib", "http", "httpx", "huggingface_hub", "poplib"),
    *("requests", "smtplib", "socket", "socketserver", "ssl", "telnetlib", "urllib", "urllib3"),
    *("xmlrpc", "webbrowser"),
}
EXCEPTIONS = {
    "trainer/tensor_file.py imports pickle.UnpicklingError",  # what weights_only=True raises
    "benchmarks/gpu/ranks.py imports socket",  # asks for a free port of its own machine
}
# call -> the argument that it must be given, and as what
SAFE_ONLY_WITH = {
    "load": {"torch": ("weights_only", True), "np": ("allow_pickle", False)},
    "save": {"np": ("allow_pickle", False)},
    "create_model": {"timm": ("pretrained", False)},
}
FORBIDDEN_CALLS = {
    *("eval", "exec", "os.system", "os.popen", "yaml.load", "yaml.unsafe_load", "pd.read_pickle"),
    *("torch.hub.load", "torch.hub.download_url_to_file", "torch.package.PackageImporter"),
    *("shutil.unpack_archive", "archive.extract", "archive.extractall"),
}


def no_module_that_runs_data_or_calls_out(root: Path) -> list[str]:
    """Nothing imports a pickle or a way into a network."""
    found = [
        f"{path} imports {name}"
        for path, tree in sources(root)
        for name in imports(tree)
        if name.split(".")[0] in PICKLES | NETWORK
    ]
    return [offence for offence in found if offence not in EXCEPTIONS]


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def loads_say_that_they_run_nothing(root: Path) -> list[str]:
    """torch.load, np.load and timm.create_model are told so in so many words."""
    offences = []
    for path, tree in sources(root):
        for call in calls(tree):
            owner, _, name = ast.unparse(call.func).rpartition(".")
            wanted = SAFE_ONLY_WITH.get(name, {}).get(owner)
            given = {k.arg: getattr(k.value, "value", None) for k in call.keywords}
            if wanted and given.get(wanted[0]) is not wanted[1]:
                offences.append(f"{path}:{call.lineno} {owner}.{name} without {wanted[0]}")
    return offences


def nothing_runs_text(root: Path) -> list[str]:
    """No call runs what it is given, or unpacks an archive to where the archive says."""
    return [
        f"{path}:{call.lineno} calls {ast.unparse(call.func)}"
        for path, tree in sources(root)
        for call in calls(tree)
        if ast.unparse(call.func) in FORBIDDEN_CALLS
    ]


def no_shell(root: Path) -> list[str]:
    """No program is started through a shell."""
    return [
        f"{path}:{call.lineno} uses a shell"
        for path, tree in sources(root)
        for call in calls(tree)
        for keyword in call.keywords
        if keyword.arg == "shell"
    ]


RULES: tuple[Rule, ...] = (
    no_module_that_runs_data_or_calls_out,
    loads_say_that_they_run_nothing,
    nothing_runs_text,
    no_shell,
)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_tree_keeps_the_rule(rule: Rule) -> None:
    assert rule(ROOT) == []


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (no_module_that_runs_data_or_calls_out, "import pickle"),
        (no_module_that_runs_data_or_calls_out, "def f():\n    from urllib.request import urlopen"),
        (no_module_that_runs_data_or_calls_out, "import_module('requests')"),
        (loads_say_that_they_run_nothing, "torch.load(path)"),
        (loads_say_that_they_run_nothing, "torch.load(path, weights_only=False)"),
        (loads_say_that_they_run_nothing, "np.load(path)"),
        (loads_say_that_they_run_nothing, "np.load(path, allow_pickle=flag)"),
        (loads_say_that_they_run_nothing, "timm.create_model('x')"),
        (nothing_runs_text, "eval(text)"),
        (nothing_runs_text, "archive.extractall(out)"),
        (no_shell, "subprocess.run(text, shell=True)"),
    ],
)
def test_the_rule_notices(rule: Rule, text: str, tmp_path: Path) -> None:
    (tmp_path / "trainer").mkdir()
    (tmp_path / "trainer" / "a.py").write_text(text)
    assert len(rule(tmp_path)) == 1


def test_the_exceptions_are_needed() -> None:
    """An exception that nothing needs any more must go."""
    found = {
        f"{path} imports {name}"
        for path, tree in sources(ROOT)
        for name in imports(tree)
        if name.split(".")[0] in PICKLES | NETWORK
    }
    assert found >= EXCEPTIONS
