"""A decoder in a child process, which may die or hang without taking the run along.

Decoders are C libraries: on damaged data some abort the process, some ask for gigabytes, and
Pillow's holds the GIL. The codestream goes over and the values come back in shared memory; pipes
say whose turn it is. What the child answers is not trusted, see `messages`.
"""

import signal
from typing import Final

from dali_pipelines.errors import DeviceError
from dali_pipelines.isolation.memory_limit import BYTES_PER_PIXEL
from dali_pipelines.isolation.running_child import Answer, RunningChild
from dali_pipelines.loader_settings import LoaderSettings
from dali_pipelines.recipe import Recipe
from dali_pipelines.stages import Encoded, Pixels
from dali_pipelines.verdicts import Reason, RejectError

CPU_DECODER: Final = "dali_pipelines.cpu.reduced_decode:decode_reduced"
TIMEOUT_S: Final = LoaderSettings().timeout_s
# Where something outside kills children, so many are tried: 30 until one is ready, which says
# nothing of any image and may take a second, and 8 over the same image.
_STARTS: Final = 30
_ASKED: Final = 8


class IsolatedDecoder:
    """Runs "module:function" (Encoded, Recipe -> Pixels) in a child, for one thread at a time.

    `timeout_s` is for each codestream: the maximum over n frames has n times as long. Memory is
    bounded by `bytes_per_pixel` of the image, see `memory_limit`.

    The child starts at the first use; it is a plain program and not multiprocessing, which would
    run the user's main module again, and so inherits no thread, lock or CUDA context. It ends when
    this process does, however that ends.
    """

    def __init__(
        self,
        function: str = CPU_DECODER,
        timeout_s: float = TIMEOUT_S,
        bytes_per_pixel: int = BYTES_PER_PIXEL,
    ) -> None:
        self._function = function
        self._bytes_per_pixel = bytes_per_pixel
        self.timeout_s = timeout_s
        self._child: RunningChild | None = None
        self._stopped = False

    def decode(self, encoded: Encoded, recipe: Recipe) -> Pixels:
        """What the function gives for one codestream.

        Raises what it raises as RejectError, DECODER_CRASH where the child died of the codestream,
        TIMEOUT where it did not answer in time; DeviceError where no child or no shared memory can
        be had or `stop` was called. No codestream makes a decoder send itself SIGKILL: that came
        from outside, so a child that was killed is replaced and asked again. It may have come for
        the memory that this very codestream takes, so the eighth child killed over it is a crash.
        Memory may also be lacking for what earlier codestreams left behind, so a child that had
        one is replaced likewise, once.
        """
        is_new = self._child is None
        answer = self._ask_past_kills(encoded, recipe)
        if isinstance(answer, RejectError) and answer.reason is Reason.OUT_OF_MEMORY:
            self.close()
            answer = answer if is_new else self._ask_past_kills(encoded, recipe)
        if isinstance(answer, int):
            raise RejectError(
                Reason.DECODER_CRASH, f"the decoder process ended with status {answer}"
            )
        if isinstance(answer, RejectError):
            raise answer
        return answer

    def stop(self) -> None:
        """End the child at once; any thread may ask. A decode under way or to come is refused."""
        self._stopped = True
        child = self._child
        if child is not None:
            child.kill()

    def close(self) -> int | None:
        """End the child if there is one; its exit status, negative for a signal."""
        child, self._child = self._child, None
        return None if child is None else child.close()

    def _ask_past_kills(self, encoded: Encoded, recipe: Recipe) -> Answer | int:
        """As `_ask`, of up to _ASKED children, each after one that was killed."""
        answer = self._ask(encoded, recipe)
        for _ in range(_ASKED - 1):
            if answer != -signal.SIGKILL:
                break
            answer = self._ask(encoded, recipe)
        return answer

    def _ask(self, encoded: Encoded, recipe: Recipe) -> Answer | int:
        """The child's answer, or its exit status if it died over it."""
        child = self._living_child()
        try:
            return child.decode(encoded, recipe, self.timeout_s)
        except (EOFError, BrokenPipeError, ConnectionResetError):
            status = self.close() or 0
            self._require_going()
            return status
        except TimeoutError:
            detail = f"the decoder did not finish within {self.timeout_s:g} s"
            return self._give_up(Reason.TIMEOUT, detail)
        except ValueError:
            return self._give_up(Reason.DECODER_CRASH, "the decoder process answered nonsense")

    def _living_child(self) -> RunningChild:
        self._require_going()
        if self._child is None or self._child.has_ended():
            self.close()
            self._child = _new_child(self._function, self._bytes_per_pixel)
            self._require_going()  # `stop` may not have seen it
        return self._child

    def _require_going(self) -> None:
        if self._stopped:
            self.close()
            raise DeviceError("the decoder processes were ended while images were still to come")

    def _give_up(self, reason: Reason, detail: str) -> RejectError:
        """End the child, whatever it is at; why there is no image."""
        if self._child is not None:
            self._child.kill()
        self.close()
        return RejectError(reason, detail)


def _new_child(function: str, bytes_per_pixel: int) -> RunningChild:
    """A child that is ready; DeviceError if there can be none, which is no codestream's fault."""
    status = 0
    for _ in range(_STARTS):
        try:
            child = RunningChild(function, bytes_per_pixel)
        except OSError as error:
            raise DeviceError(
                f"no decoder process could be started: {error}; free what is scarce, or set "
                "loader.isolation to thread"
            ) from error
        if child.is_ready():
            return child
        status = child.close()
        if status != -signal.SIGKILL:
            break
    raise DeviceError(
        f"a decoder process ended or hung before its first image (status {status}); run mammo "
        "doctor to see which library does not load"
    )
