"""The `mammo` command: text to one call; no science lives here.

The packages have everyday names, so a stranger's `trainer` on the path would be run in place of
ours without a word. Hence this check, before anything else is imported.
"""

import importlib.util
import pathlib
import sys

for _name in ("dali_pipelines", "trainer", "benchmarks", "configs"):
    _spec = importlib.util.find_spec(_name)
    _found = [pathlib.Path(p) for p in (_spec and _spec.submodule_search_locations) or ()]
    if pathlib.Path(__file__).resolve().parent.parent / _name not in [p.resolve() for p in _found]:
        _where = f"another package of that name at {_found[0]}" if _found else "none of that name"
        sys.stderr.write(f"error: mammo needs its own {_name!r} and found {_where}; ")
        sys.stderr.write("uninstall the intruder or install MammoStream in a fresh environment\n")
        raise SystemExit(4)
