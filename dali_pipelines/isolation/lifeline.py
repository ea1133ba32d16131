"""The rule by which a child process ends with its parent, however that ends: a pipe between them.

Not PR_SET_PDEATHSIG, which looks at the parent's thread, and that may end long before.
"""

import fcntl
import os
import select
import signal


def end_with_the_writer_of(pipe: int) -> None:
    """Have SIGIO end this process, also in the midst of C code, when no writer of `pipe` is left.

    `pipe` is the end to read from, into which nobody ever writes; this process must not hold the
    other end. Several processes may have it (on Linux).
    """
    # Opened anew and left open: else all that have it share one receiver of the signal.
    own = os.open(f"/dev/fd/{pipe}", os.O_RDONLY | os.O_NONBLOCK)
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    fcntl.fcntl(own, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(own, fcntl.F_SETFL, os.O_ASYNC)
    if select.select([own], [], [], 0)[0]:  # it closed before the signal was asked for
        os.kill(os.getpid(), signal.SIGIO)
