"""Several ranks on this machine: one command line, run once a rank by torch's elastic agent.

The agent collapses the exit codes of its ranks; each rank therefore leaves its own in a folder that
the environment names, and what they say together becomes the code of the whole.
"""

import logging
import os
import signal
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from dali_pipelines.cores import core_count
from trainer.ranks import EXIT_CODES

_SIGNALS: Final = "SIGTERM,SIGINT,SIGHUP,SIGQUIT,SIGUSR1"
_SHUTDOWN_S: Final = "300"  # ranks that were asked to stop end their step and write a checkpoint


def launch(args: Sequence[str], ranks: int, max_restarts: int = 0) -> int:
    """Run `mammo ARGS` as that many ranks; the exit code of the whole, as one process would leave.

    After a failure all ranks are started again, at most `max_restarts` times. SIGTERM and SIGUSR1
    reach the ranks.
    """
    with TemporaryDirectory(prefix="mammo-ranks-") as folder:
        codes = Path(folder) / "codes"
        codes.mkdir()
        with _environment(_variables(codes, ranks)):
            ended = _run(args, ranks, max_restarts, folder)
        if ended == 0:
            return 0
        said = _outcome(codes, ranks)
    return ended if said is None else said


def _variables(codes: Path, ranks: int) -> dict[str, str]:
    return {
        EXIT_CODES: str(codes),
        # torch 2.15 with gloo restarts into the addresses of the ranks that died otherwise
        "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1",
        "TORCH_ELASTIC_SHUTDOWN_TIMEOUT": os.environ.get(
            "TORCH_ELASTIC_SHUTDOWN_TIMEOUT", _SHUTDOWN_S
        ),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(max(1, core_count() // ranks))),
    }


def _run(args: Sequence[str], ranks: int, max_restarts: int, folder: str) -> int:
    """0 where all ranks ended well, 1 where one failed, 128 + number where a signal ended them."""
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=ranks,
        logs_specs=DefaultLogsSpecs(log_dir=folder),
        run_id=uuid.uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint="127.0.0.1:0",
        local_addr="127.0.0.1",
        max_restarts=max_restarts,
        signals_to_handle=_SIGNALS,
    )
    logging.disable(logging.ERROR)  # the ranks say what ended them
    try:
        elastic_launch(config, sys.executable)("-m", "cli", *args)
    except ChildFailedError:
        return 1
    except SignalException as asked:
        return 128 + signal.Signals(asked.sigval)
    finally:
        logging.disable(logging.NOTSET)
    return 0


def _outcome(codes: Path, ranks: int) -> int | None:
    """What the ranks say of the last of their starts: 0 if all ended well, else the first failure.

    None where that is not known. A 1 says little: a rank that lost another ends with it, and may
    be done before the other has left its own code.
    """
    files = [(path, int(path.name.partition("-")[0])) for path in codes.iterdir()]
    last = max((start for _, start in files), default=0)
    ended = sorted(
        (path.stat().st_mtime_ns, int(path.read_text() or 1))
        for path, start in files
        if start == last
    )
    if len(ended) == ranks and not any(code for _, code in ended):
        return 0
    return next((code for _, code in ended if code > 1), None)


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """A stretch with these variables set."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
