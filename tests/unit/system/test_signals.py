import signal

from framesweep.system.signals import stop_request


def test_a_request_is_noted_and_handlers_come_back():
    before = signal.getsignal(signal.SIGTERM)
    with stop_request() as request:
        assert request() == 0
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        assert request() == signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_schedulers_signal_goes_before_and_is_its_own_again_after():
    calls = []

    def handle(signum, frame):
        calls.append(signum)

    before = signal.signal(signal.SIGUSR2, handle)
    try:
        with stop_request() as request:
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGUSR2)
            assert request() == signal.SIGUSR2
            assert calls == []
        signal.raise_signal(signal.SIGUSR2)
        assert calls == [signal.SIGUSR2]
    finally:
        signal.signal(signal.SIGUSR2, before)
