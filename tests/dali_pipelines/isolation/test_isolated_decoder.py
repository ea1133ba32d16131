"""A decoder that dies, hangs or refuses costs one sample; the next one is decoded."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from dali_pipelines.errors import DeviceError
from dali_pipelines.isolation import isolated_decoder
from dali_pipelines.isolation.isolated_decoder import IsolatedDecoder
from dali_pipelines.pixel_settings import DecodeSettings
from dali_pipelines.recipe import Recipe
from dali_pipelines.stages import Encoded
from dali_pipelines.verdicts import Reason, RejectError

# what the first byte makes it do
ABORTS, HANGS, TELLS, KILLED, RAISES, HOARDS, LEAKS, GOOD = 1, 2, 3, 4, 5, 6, 7, 9
HARMFUL = """
import ctypes, json, os, resource, signal, sys, time
from dali_pipelines.cpu.decode import decode
from dali_pipelines.verdicts import Reason, RejectError
kept = []
def harmful(encoded, recipe):
    first = int(encoded.data[0])
    if first == 1: os.abort()
    if first == 2: ctypes.PyDLL(None).sleep(60)  # holds the GIL, as a C decoder may
    if first == 3:
        facts = {"pid": os.getpid(), "core": resource.getrlimit(resource.RLIMIT_CORE)}
        facts["writeable"] = encoded.data.flags.writeable
        facts["modules"] = sorted({"torch", "cupy", "nvidia"} & set(sys.modules))
        facts["cuda"] = "libcuda" in open("/proc/self/maps").read()
        raise RejectError(Reason.IO, json.dumps(facts))
    if first == 4: os.kill(os.getpid(), signal.SIGKILL)
    if first == 5: raise ZeroDivisionError("Jane Doe")
    if first == 6:
        try: bytearray(10**9)  # as a library that takes lack of memory for damage
        except MemoryError: raise RejectError(Reason.CORRUPT, "the stream is damaged") from None
    if first == 7:
        if len(kept) < 3: kept.append(bytearray(20_000_000)); return decode(encoded)
        bytearray(50_000_000)
    return decode(encoded)
"""
RECIPE = Recipe("any")


@pytest.fixture
def harmful(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[IsolatedDecoder]:
    (tmp_path / "harmful_decoder.py").write_text(HARMFUL)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    decoder = IsolatedDecoder("harmful_decoder:harmful", timeout_s=30)
    yield decoder
    decoder.close()


@pytest.fixture
def starting_with(noise: Callable, encoded_of: Callable) -> Callable[[int], Encoded]:
    def make(first: int) -> Encoded:
        values = noise(8)
        values[0, 0] = first
        return encoded_of(values, "raw", 8)

    return make


def reject(decoder: IsolatedDecoder, encoded: Encoded) -> RejectError:
    with pytest.raises(RejectError) as caught:
        decoder.decode(encoded, RECIPE)
    return caught.value


def facts(decoder: IsolatedDecoder, starting_with: Callable) -> dict:
    return json.loads(reject(decoder, starting_with(TELLS)).detail)


def test_values_are_those_of_the_same_decoder_here(noise: Callable, encoded_of: Callable) -> None:
    decoder = IsolatedDecoder()
    try:
        for shape in ((40, 50), (7, 5), (200, 300)):  # the shared memory is used again and grows
            for syntax in ("j2k", "jpeg_sv1", "raw"):
                values = noise(12, shape)
                pixels = decoder.decode(encoded_of(values, syntax, 12), RECIPE)
                assert (pixels.shift, pixels.reduce) == (0, 0)
                assert pixels.values.dtype == np.uint16
                assert np.array_equal(pixels.values, values)
    finally:
        assert decoder.close() == 0


def test_values_stay_when_the_next_image_is_decoded(noise: Callable, encoded_of: Callable) -> None:
    images = [noise(12, (30, 20), seed=k) for k in range(3)]
    decoder = IsolatedDecoder()
    try:
        decoded = [decoder.decode(encoded_of(image, "raw", 12), RECIPE) for image in images]
    finally:
        decoder.close()
    for image, pixels in zip(images, decoded, strict=True):
        assert np.array_equal(pixels.values, image)
        assert pixels.values.flags.writeable


def test_the_recipe_goes_over(noise: Callable, encoded_of: Callable) -> None:
    decoder = IsolatedDecoder()
    try:
        encoded = encoded_of(noise(12, (40, 50)), "j2k", 12)
        pixels = decoder.decode(encoded, Recipe("small", DecodeSettings(reduce=2)))
    finally:
        decoder.close()
    assert (pixels.reduce, pixels.values.shape) == (2, (10, 13))


def test_what_finds_the_breast_is_loaded_beside_a_small_images_memory(
    noise: Callable, encoded_of: Callable
) -> None:
    recipe = Recipe("small", DecodeSettings(reduce="auto"))
    decoder = IsolatedDecoder()
    try:
        pixels = decoder.decode(encoded_of(noise(12, (40, 50)), "j2k", 12), recipe)
    finally:
        decoder.close()
    assert pixels.values.shape == (40, 50)  # smaller than its place in the output: left whole


def test_a_child_leaves_no_core_file_and_has_no_cuda(
    harmful: IsolatedDecoder, starting_with: Callable
) -> None:
    told = facts(harmful, starting_with)
    assert told["core"] == [0, 0]  # it would hold what the decoder read, which is a patient's
    assert (told["modules"], told["cuda"]) == ([], False)
    assert not told["writeable"]


def test_a_dying_and_a_hanging_decoder_cost_their_sample_only(
    harmful: IsolatedDecoder, starting_with: Callable
) -> None:
    good = starting_with(GOOD)
    wanted = good.data.reshape(37, 29)
    assert np.array_equal(harmful.decode(good, RECIPE).values, wanted)
    died = reject(harmful, starting_with(ABORTS))
    assert died.reason is Reason.DECODER_CRASH
    assert "status -6" in died.detail
    assert np.array_equal(harmful.decode(good, RECIPE).values, wanted)
    harmful.timeout_s = 0.2
    assert reject(harmful, starting_with(HANGS)).reason is Reason.TIMEOUT
    harmful.timeout_s = 30
    assert np.array_equal(harmful.decode(good, RECIPE).values, wanted)


def test_a_codestream_whose_children_are_killed_again_and_again_is_given_up(
    harmful: IsolatedDecoder, starting_with: Callable
) -> None:
    """Eight times, about 0.2 s each."""
    died = reject(harmful, starting_with(KILLED))
    assert died.reason is Reason.DECODER_CRASH
    assert "status -9" in died.detail
    harmful.decode(starting_with(GOOD), RECIPE)


def test_a_codestream_whose_child_is_killed_a_few_times_is_decoded(
    noise: Callable, encoded_of: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "killed_decoder.py").write_text(f"""
import os, pathlib, signal
from dali_pipelines.cpu.decode import decode as whole
tries = pathlib.Path({str(tmp_path / "tries")!r})
def decode(encoded, recipe):
    tries.write_text((tries.read_text() if tries.exists() else "") + "x")
    if len(tries.read_text()) < 5: os.kill(os.getpid(), signal.SIGKILL)
    return whole(encoded)
""")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    values = noise(12)
    decoder = IsolatedDecoder("killed_decoder:decode")
    try:
        pixels = decoder.decode(encoded_of(values, "raw", 12), RECIPE)
    finally:
        decoder.close()
    assert np.array_equal(pixels.values, values)
    assert (tmp_path / "tries").read_text() == "xxxxx"


FEW_BYTES = """
import pickle, resource, sys
from dali_pipelines.errors import DeviceError
from dali_pipelines.isolation.isolated_decoder import IsolatedDecoder
from dali_pipelines.recipe import Recipe
with open(sys.argv[1], "rb") as file: encoded = pickle.load(file)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
try: IsolatedDecoder().decode(encoded, Recipe("any"))
except DeviceError as error: print(error)
"""


def test_shared_memory_that_cannot_be_had_is_the_machines_fault(
    noise: Callable, encoded_of: Callable, tmp_path: Path
) -> None:
    import pickle

    encoded = encoded_of(noise(12, (40, 50)), "raw", 12)
    (tmp_path / "encoded").write_bytes(pickle.dumps(encoded))
    done = subprocess.run(
        # half a compiled module would stay
        [sys.executable, "-c", FEW_BYTES, str(tmp_path / "encoded")],
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "PYTHONDONTWRITEBYTECODE": "1",
        },
        capture_output=True,
        text=True,
        check=True,
    )
    assert re.match(
        r"no [\d,]+ bytes can be shared .*: File too large; raise the limit of file sizes",
        done.stdout,
    )


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_child_that_ended_between_two_samples_costs_none(
    number: int, harmful: IsolatedDecoder, starting_with: Callable
) -> None:
    pid = facts(harmful, starting_with)["pid"]
    os.kill(pid, number)
    wait_until(lambda: not is_running(pid))
    harmful.decode(starting_with(GOOD), RECIPE)


def test_ctrl_c_and_a_polite_end_are_for_the_parent(
    harmful: IsolatedDecoder, starting_with: Callable
) -> None:
    pid = facts(harmful, starting_with)["pid"]
    assert os.getpgid(pid) != os.getpgid(0)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1):
        os.kill(pid, number)
    harmful.decode(starting_with(GOOD), RECIPE)
    assert facts(harmful, starting_with)["pid"] == pid


def test_a_codestream_that_wants_too_much_memory_is_refused_and_not_called_damaged(
    harmful: IsolatedDecoder, starting_with: Callable
) -> None:
    good = starting_with(GOOD)
    assert reject(harmful, starting_with(HOARDS)).reason is Reason.OUT_OF_MEMORY
    harmful.decode(good, RECIPE)
    pid = facts(harmful, starting_with)["pid"]
    assert reject(harmful, starting_with(HOARDS)).reason is Reason.OUT_OF_MEMORY
    assert not is_running(pid)  # what it leaves behind is unknown
    assert np.array_equal(harmful.decode(good, RECIPE).values, good.data.reshape(37, 29))


def test_an_image_does_not_pay_for_the_memory_of_those_before(
    harmful: IsolatedDecoder, starting_with: Callable
) -> None:
    """The fourth meets a child that kept 60 MB of the 67 to spare, and goes to a new one."""
    leaking = starting_with(LEAKS)
    pids = [facts(harmful, starting_with)["pid"]]
    for _ in range(4):
        harmful.decode(leaking, RECIPE)
        pids.append(facts(harmful, starting_with)["pid"])
    assert len(set(pids[:4])) == 1
    assert pids[4] != pids[0]


@pytest.mark.parametrize("answer", [b"[1000000, 1000000, 0, 0]", b"\x80\x04K\x01.", b"[" * 4000])
def test_what_is_no_answer_ends_the_child_and_costs_its_sample(
    answer: bytes, harmful: IsolatedDecoder, starting_with: Callable, tmp_path: Path
) -> None:
    """As of a child that a codestream has taken over: it writes to the pipe as it likes."""
    (tmp_path / "taken_over.py").write_text(f"""
import os, sys
from harmful_decoder import decode
def taken_over(encoded, recipe):
    if encoded.data[0] == {RAISES}:

        os.write(int(sys.argv[3]), {answer!r})
    return decode(encoded)
""")
    decoder = IsolatedDecoder("taken_over:taken_over", timeout_s=30)
    try:
        error = reject(decoder, starting_with(RAISES))
        assert (error.reason, error.detail) == (
            Reason.DECODER_CRASH,
            "the decoder process answered nonsense",
        )
        decoder.decode(starting_with(GOOD), RECIPE)
    finally:
        decoder.close()


def test_a_child_killed_while_it_starts_is_started_again(
    noise: Callable, encoded_of: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dying_decoder.py").write_text(f"""
import os, pathlib, signal
from dali_pipelines.cpu.decode import decode as whole
starts = pathlib.Path({str(tmp_path / "starts")!r})
starts.write_text((starts.read_text() if starts.exists() else "") + "x")
if len(starts.read_text()) < int(os.environ["DEADLY_STARTS"]): os.kill(os.getpid(), signal.SIGKILL)
def decode(encoded, recipe): return whole(encoded)
""")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    encoded = encoded_of(noise(12), "raw", 12)
    monkeypatch.setenv("DEADLY_STARTS", "3")
    decoder = IsolatedDecoder("dying_decoder:decode")
    decoder.decode(encoded, RECIPE)
    decoder.close()
    monkeypatch.setenv("DEADLY_STARTS", "100")
    monkeypatch.setattr(isolated_decoder, "_STARTS", 3)
    with pytest.raises(DeviceError, match=r"\(status -9\)"):
        IsolatedDecoder("dying_decoder:decode").decode(encoded, RECIPE)


def test_a_refusal_comes_back_with_its_reason(noise: Callable, encoded_of: Callable) -> None:
    encoded = encoded_of(noise(12), "raw", 12)
    decoder = IsolatedDecoder()
    try:
        short = Encoded(encoded.data[:10], encoded.record)
        assert reject(decoder, short).reason is Reason.TRUNCATED
    finally:
        decoder.close()


def test_any_exception_costs_its_sample_and_names_its_class_only(
    harmful: IsolatedDecoder, starting_with: Callable
) -> None:
    error = reject(harmful, starting_with(RAISES))
    assert (error.reason, error.detail) == (Reason.UNEXPECTED, "ZeroDivisionError")


PARENT = """
import pickle, sys, threading, time
from dali_pipelines.errors import DeviceError
from dali_pipelines.isolation.isolated_decoder import IsolatedDecoder
from dali_pipelines.recipe import Recipe
with open(sys.argv[1], "rb") as file: telling, hanging = pickle.load(file)
kept = []
for busy in (False, True):
    decoder = IsolatedDecoder("harmful_decoder:harmful")
    def decode(encoded):
        try: decoder.decode(encoded, Recipe("any"))
        except Exception as error: print(error.detail, flush=True)
    decode(telling)
    if busy: threading.Thread(target=decode, args=(hanging,)).start()
    kept.append(decoder)
time.sleep(1)
print("ready", flush=True)
"""


def test_children_end_with_a_parent_that_is_killed(
    harmful: IsolatedDecoder, starting_with: Callable, tmp_path: Path
) -> None:
    """One is idle, one is held fast in C code."""
    import pickle

    (tmp_path / "parent.py").write_text(PARENT)
    (tmp_path / "encoded").write_bytes(pickle.dumps([starting_with(TELLS), starting_with(HANGS)]))
    parent = subprocess.Popen(
        [sys.executable, str(tmp_path / "parent.py"), str(tmp_path / "encoded")],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        stdout=subprocess.PIPE,
        text=True,
    )
    with parent:
        told = [json.loads(parent.stdout.readline()) for _ in range(2)]
        assert parent.stdout.readline() == "ready\n"
        assert all(is_running(child["pid"]) for child in told)
        parent.kill()
    wait_until(lambda: not any(is_running(child["pid"]) for child in told))


def test_where_no_process_can_be_started_nothing_stays_open(
    noise: Callable, encoded_of: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no more processes")

    before = len(list(Path("/proc/self/fd").iterdir()))
    monkeypatch.setattr(subprocess, "Popen", refuse)
    for _ in range(3):
        with pytest.raises(DeviceError, match="no more processes"):
            IsolatedDecoder().decode(encoded_of(noise(12), "raw", 12), RECIPE)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def is_running(pid: int) -> bool:
    """Whether the process is there and no zombie, whose other threads may be ending yet."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state != "Z" or len(list(Path(f"/proc/{pid}/task").iterdir())) > 1
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_files_of_the_current_folder_stand_in_for_no_library(
    noise: Callable, encoded_of: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "imagecodecs.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place != str(tmp_path)])
    decoder = IsolatedDecoder()
    try:
        values = noise(12)
        assert np.array_equal(decoder.decode(encoded_of(values, "j2k", 12), RECIPE).values, values)
    finally:
        decoder.close()


def test_a_child_that_cannot_load_its_decoders_is_no_files_fault(
    noise: Callable, encoded_of: Callable
) -> None:
    with pytest.raises(DeviceError, match=r"before its first image \(status 1\); run mammo doctor"):
        IsolatedDecoder("no_such_module:decode").decode(encoded_of(noise(12), "j2k", 12), RECIPE)
