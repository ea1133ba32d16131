"""The address space is bounded by what an image needs, within the block and no longer."""

import resource
import subprocess
import sys

import numpy as np
import pytest

from dali_pipelines.isolation.memory_limit import (
    MOST_BYTES,
    SPARE_BYTES,
    AddressSpace,
    LackOfMemory,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has these limits")

PROGRAM = """
import numpy as np, resource
from dali_pipelines.isolation.memory_limit import AddressSpace
space = AddressSpace()
def fits(bytes_):
    try: np.empty(bytes_, np.uint8)
    except MemoryError: return False
    return True
with space.bounded(1_000_000, 0, 0):   # 9 MB and 67 to spare
    print(fits(40_000_000), fits(200_000_000))
print(fits(200_000_000))
with space.bounded(40_000_000, 0, 0):
    print(fits(200_000_000))
with space.bounded(1, 0, 0):           # it never falls
    print(fits(200_000_000))
generous = AddressSpace(24)
with AddressSpace().bounded(10_000_000, 0, 0):       # 90 MB and 67 to spare
    print(fits(200_000_000))
with generous.bounded(10_000_000, 0, 0):             # 240
    print(fits(200_000_000))
with space.bounded(100_000_000, 400_000_000, 600_000_000):
    print(resource.getrlimit(resource.RLIMIT_AS)[0])
with space.bounded(200_000_000, 0, 0):
    print(resource.getrlimit(resource.RLIMIT_AS)[0] > 1_500_000_000)
large = AddressSpace()
library = np.empty(300_000_000, np.uint8)
large.count_libraries()
with large.bounded(1_000_000, 0, 0):   # on top of 300 MB that are no part of the image
    print(fits(40_000_000), fits(200_000_000))
with large.bounded(100_000_000, 400_000_000, 600_000_000):
    print(resource.getrlimit(resource.RLIMIT_AS)[0] // 1_000_000)
"""


def test_what_fits_into_the_share_of_an_image() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=True)
    assert done.stdout.decode().split() == [
        *("True", "False", "True", "True", "True", "False", "True"),
        *(str(MOST_BYTES), "True"),
        *("True", "False", str((MOST_BYTES + 300_000_000) // 1_000_000)),
    ]


def test_the_limit_is_gone_after_the_block_also_after_an_error() -> None:
    before = resource.getrlimit(resource.RLIMIT_AS)
    with pytest.raises(KeyError), AddressSpace().bounded(1 << 30, 0, 0):
        raise KeyError
    assert resource.getrlimit(resource.RLIMIT_AS) == before


def test_a_refused_allocation_is_seen_behind_any_error() -> None:
    lack = LackOfMemory()
    lack.watch()
    np.zeros(10)
    assert not lack.was_met()
    with pytest.raises(MemoryError):
        np.empty(1 << 60, np.uint8)
    assert lack.was_met()
    lack.watch()
    assert not lack.was_met()
    assert SPARE_BYTES < MOST_BYTES
