"""A tree of processes, drawn by hand as files of /proc, and the real one of this process."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import process_tree

TICKS = os.sysconf("SC_CLK_TCK")


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """7 has a child 8 by its second thread, whose child is 9; 10 is nobody's."""

    def write(pid: int, times: str, pss_kib: int, **children: str) -> None:
        for thread, pids in children.items():
            folder = tmp_path / str(pid) / "task" / thread.lstrip("t")
            folder.mkdir(parents=True)
            (folder / "children").write_text(pids)
        (tmp_path / str(pid)).mkdir(exist_ok=True)
        before = "S 1 1 1 0 -1 4194560 1 2 3 4"  # state and ten numbers stand before utime
        (tmp_path / str(pid) / "stat").write_text(f"{pid} (a) b (c) {before} {times} 20 0 1\n")
        rollup = f"00400000-7fff [rollup]\nRss: 9 kB\nPss:  {pss_kib} kB\nPss_Anon: 5 kB\n"
        (tmp_path / str(pid) / "smaps_rollup").write_text(rollup)

    write(7, f"{TICKS} {TICKS} 0 {3 * TICKS}", 1024, t7="", t70="8 ")
    write(8, f"{TICKS} 0 {TICKS} 0", 512, t8="9 ")
    write(9, f"0 {TICKS} 0 0", 512, t9="")
    write(10, f"{99 * TICKS} 0 0 0", 99, t10="")
    return tmp_path


def test_the_tree_by_hand(proc: Path) -> None:
    assert process_tree.descendants(7, proc) == [7, 8, 9]
    assert process_tree.descendants(9, proc) == [9]
    assert process_tree.cpu_seconds(7, proc) == 1 + 1 + 3 + 1 + 1 + 1
    assert process_tree.memory_mib(7, proc) == 2.0


def test_a_child_that_ends_meanwhile_is_passed_over(proc: Path) -> None:
    (proc / "9" / "stat").unlink()
    (proc / "9" / "smaps_rollup").unlink()
    assert process_tree.cpu_seconds(7, proc) == 7
    assert process_tree.memory_mib(7, proc) == 1.5


def test_nothing_is_known_without_proc(tmp_path: Path) -> None:
    assert process_tree.cpu_seconds(7, tmp_path) is None
    assert process_tree.memory_mib(7, tmp_path) is None
    assert process_tree.descendants(7, tmp_path) == [7]


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_a_real_child_is_found_and_counted() -> None:
    code = "import sys; block = bytearray(64 << 20); print(flush=True); sys.stdin.read()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    child = subprocess.Popen([sys.executable, "-c", code], **pipes)
    try:
        child.stdout.readline()
        assert child.pid in process_tree.descendants(os.getpid())
        alone = process_tree.memory_mib(child.pid)
        assert alone > 60
        assert process_tree.memory_mib(os.getpid()) > alone
    finally:
        child.communicate()  # which closes its input, and so ends it
    assert process_tree.cpu_seconds(os.getpid()) > 0
