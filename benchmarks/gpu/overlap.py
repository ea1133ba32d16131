"""Training fed by the loader: is decoding hidden behind the steps, and what does it cost them?"""

from typing import Any, Final

from benchmarks import decode, train_step
from benchmarks.gpu.inputs import COMPRESSED, Inputs, Note
from benchmarks.job import Job, OpenPass
from benchmarks.passes import img_s
from benchmarks.timing import round_off, spread

MODEL: Final = "convnext_small"
BATCH: Final = 8
_IMAGES: Final = 96
_DECODED: Final = "raw"  # input that needs no decoding, so that what is left is the loader's own


def measure(inputs: Inputs, note: Note) -> None:
    """Rates of the step on a ready batch, of decoding alone, and of the step fed by each syntax."""
    trained = _rate(train_step.open_pass, "raw", inputs)
    note("train", trained)
    fed_decoded = _rate(train_step.open_fed_pass, _DECODED, inputs)
    slowdown = 1 - fed_decoded["median"] / trained["median"]
    note(_DECODED, {"streaming": fed_decoded, "slowdown": round_off(slowdown)})
    for syntax in COMPRESSED:
        decoded = _rate(decode.open_pass, syntax, inputs)
        fed = _rate(train_step.open_fed_pass, syntax, inputs)
        ratio = over_serial(fed["median"], decoded["median"], trained["median"])
        note(syntax, {"decode": decoded, "streaming": fed, "over_serial": round_off(ratio)})


def over_serial(streaming: float, decode_alone: float, train_alone: float) -> float:
    """The streaming rate over that of decoding and training one after the other."""
    return streaming * (1 / decode_alone + 1 / train_alone)


def _rate(open_pass: OpenPass, syntax: str, inputs: Inputs) -> dict[str, Any]:
    count = _IMAGES // (2 if inputs.quick else 1)
    recipe = inputs.load_recipe()
    job = Job(inputs.records(syntax, count), recipe, BATCH, inputs.threads, "gpu", model=MODEL)
    with open_pass(job) as run:
        return spread(img_s(run, count, inputs.repeats))
