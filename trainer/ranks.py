"""What a process knows of being one rank of several, and what it leaves to whoever started it."""

import os
from pathlib import Path
from typing import Final

EXIT_CODES: Final = "MAMMO_EXIT_CODES"


def is_rank() -> bool:
    """Whether this process is one rank of several already."""
    return "RANK" in os.environ


def restart_count() -> int:
    """How often the ranks of this run were started again; 0 outside of one."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))


def leave_exit_code(code: int) -> None:
    """Tell whoever launched this rank how it ended, as torch would lose it; nobody may ask."""
    folder = os.environ.get(EXIT_CODES)
    if folder and Path(folder).is_dir():
        name = f"{restart_count()}-{os.environ.get('RANK', '0')}"
        (Path(folder) / name).write_text(str(code))
