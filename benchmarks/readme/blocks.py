"""Blocks of README that are made of benchmarks/results/*.json, so that no figure is typed.

    <!-- figures: NAME -->
    what NAME.md.jinja gives
    <!-- end of the figures -->

A template reads `results.NAME` for benchmarks/results/NAME.json.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import jinja2

from dali_pipelines.errors import ConfigError

RESULTS: Final = Path(__file__).parents[1] / "results"
TEMPLATES: Final = Path(__file__).parent
_BLOCK: Final = re.compile(
    r"(<!-- figures: (?P<name>\w+) -->\n).*?(\n<!-- end of the figures -->)", re.DOTALL
)


class Results(Mapping[str, Any]):
    """The results in a folder, read as they are asked for by the names of their files."""

    def __init__(self, folder: Path = RESULTS) -> None:
        self._folder = folder

    def __getitem__(self, name: str) -> Any:
        path = self._folder / f"{name}.json"
        if not path.is_file():
            raise KeyError(name)
        return json.loads(path.read_text(encoding="utf-8"))

    def __iter__(self) -> Any:
        return (path.stem for path in sorted(self._folder.glob("*.json")))

    def __len__(self) -> int:
        return len(list(self._folder.glob("*.json")))


def render_blocks(text: str, results: Mapping[str, Any], templates: Path = TEMPLATES) -> str:
    """The text with each block made anew.

    Raises ConfigError where a block has no template, or a result that it tells of is absent.
    """
    environment = jinja2.Environment(  # noqa: S701 - Markdown of our own numbers
        loader=jinja2.FileSystemLoader(templates),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )

    def made(found: re.Match[str]) -> str:
        name = found["name"]
        try:
            block = environment.get_template(f"{name}.md.jinja").render(results=results)
        except (jinja2.TemplateNotFound, jinja2.UndefinedError) as error:
            raise ConfigError(
                f"block {name!r} of README cannot be made: {error} is missing; run the evidence "
                "or the benchmark that writes it"
            ) from error
        return f"{found[1]}{block.strip()}{found[3]}"

    return _BLOCK.sub(made, text)
