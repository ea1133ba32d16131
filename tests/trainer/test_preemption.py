import signal
import threading

from trainer.preemption import stop_requests


def test_a_signal_sets_the_event_and_the_old_handlers_come_back() -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGUSR1)
    for number in (signal.SIGTERM, signal.SIGUSR1):
        with stop_requests() as asked:
            assert not asked.is_set()
            signal.raise_signal(number)
            assert asked.is_set()
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGUSR1)) == before


def test_another_thread_does_without() -> None:
    seen = []

    def run() -> None:
        with stop_requests() as asked:
            seen.append(asked.is_set())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [False]


def test_a_stretch_within_another_hears_what_that_one_heard() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with stop_requests() as whole:
        with stop_requests() as first:
            assert not first.is_set()
        signal.raise_signal(signal.SIGTERM)  # between two runs
        with stop_requests() as second:
            assert second.is_set()
        assert whole.is_set()
    assert signal.getsignal(signal.SIGTERM) == before
    with stop_requests() as later:
        assert not later.is_set()
