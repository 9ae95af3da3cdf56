"""Work in other threads has the results, the order and the errors of work in this one."""

import hashlib
import threading

import numpy as np
import pytest

from framesweep.data.store import ahead
from framesweep.data.store.ahead import GROUP_FRAMES, MAX_THREADS, ContentDigest, map_ahead


def utterances(lengths):
    for value, length in enumerate(lengths):
        yield np.full((length, 1), value, dtype=np.float32)


@pytest.mark.parametrize("threads", [1, 2, 16])
def test_results_come_in_the_order_of_the_utterances(monkeypatch, threads):
    monkeypatch.setattr(ahead, "count_physical_cores", lambda: threads)
    lengths = [1, GROUP_FRAMES, 5, 3 * GROUP_FRAMES, *[1000] * 100]
    found = list(map_ahead(lambda features: features + 1, utterances(lengths)))
    assert [len(one) for one in found] == lengths
    assert [one[0, 0] for one in found] == list(range(1, len(lengths) + 1))


def test_no_utterances_have_no_results():
    assert list(map_ahead(np.negative, iter(()))) == []


def test_other_threads_compute():
    found = list(map_ahead(lambda x: x + threading.get_ident(), utterances([3])))
    assert found[0][0, 0] != np.float32(threading.get_ident())


def test_only_a_few_groups_are_read_in_advance():
    read = []

    def source():
        for features in utterances([GROUP_FRAMES] * 100):
            read.append(features)
            yield features

    for done, _ in enumerate(map_ahead(lambda x: x, source())):
        assert len(read) <= done + MAX_THREADS + 1


def test_errors_of_the_function_and_of_the_reader_arrive():
    def fail(features):
        raise ValueError(f"utterance {features[0, 0]:.0f}")

    with pytest.raises(ValueError, match="utterance 0"):
        list(map_ahead(fail, utterances([GROUP_FRAMES, 1])))

    def broken():
        yield from utterances([1])
        raise OSError("the disk")

    with pytest.raises(OSError, match="the disk"):
        list(map_ahead(np.negative, broken()))


@pytest.mark.parametrize("count", [0, 1, 50])
def test_digest_is_that_of_all_bytes_in_order(count):
    arrays = [np.random.default_rng(i).normal(size=(1500, 3)) for i in range(count)]
    with ContentDigest() as digest:
        for array in arrays:
            digest.update(array)
        found = digest.hexdigest()
    content = b"".join(array.tobytes() for array in arrays)
    assert found == hashlib.blake2b(content, digest_size=16).hexdigest()


def test_thread_of_the_digest_ends_after_an_error():
    def fail():
        with ContentDigest() as digest:
            digest.update(np.zeros((GROUP_FRAMES, 1)))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert not any(t.name.startswith("framesweep-digest") for t in threading.enumerate())
