"""Write README's figures anew from the committed results: python -m benchmarks.readme."""

from pathlib import Path
from typing import Final

import click

from benchmarks.readme.blocks import Results, render_blocks
from dali_pipelines.atomic import replacing

README: Final = Path(__file__).parents[2] / "README.md"


@click.command()
def main() -> None:
    """Replace each block of figures in README.md."""
    text = README.read_text(encoding="utf-8")
    with replacing(README) as aside:
        aside.write_text(render_blocks(text, Results()), encoding="utf-8")


if __name__ == "__main__":
    main()
