"""What every test may use: the real files beside the checkout, and a quiet process."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real DICOM files; skips without it, fails without it under REQUIRE_SHARED=1."""
    folder = Path(os.environ.get("MAMMO_SHARED_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "README.md").exists():
        message = f"real DICOM files are absent: no {folder}"
        if os.environ.get("REQUIRE_SHARED") == "1":
            pytest.fail(message)
        pytest.skip(message)
    return folder
