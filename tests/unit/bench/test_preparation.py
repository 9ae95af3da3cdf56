"""Preparing is compared with a copy of as many bytes, and both leave nothing behind."""

import soundfile

from framesweep.bench import preparation
from framesweep.bench.preparation import copy_files, measure_preparation, measure_sound


def test_a_copy_has_the_bytes_of_all_files(tmp_path) -> None:
    files = [tmp_path / "one", tmp_path / "two"]
    files[0].write_bytes(b"a" * (preparation.COPY_BYTES + 1))
    files[1].write_bytes(b"")
    assert copy_files(files, tmp_path / "copy") == preparation.COPY_BYTES + 1
    for path in files:
        assert (tmp_path / "copy" / path.name).read_bytes() == path.read_bytes()


def test_each_round_prepares_a_corpus_that_is_not_prepared(case, tmp_path, monkeypatch) -> None:
    caches = []

    def open_frame_store(config):
        caches.append(config.data.cache)
        store = original(config)
        assert store.splits["train"].num_frames >= 2000
        return store

    original = preparation.open_frame_store
    monkeypatch.setattr(preparation, "open_frame_store", open_frame_store)
    result = measure_preparation(tmp_path, 2000, 2, case)
    assert len(set(caches)) == len(caches) == 3  # with the warm-up
    assert set(result["bytes_per_second"]) == {"prepare", "copy"}
    written = result["ratio"]["copy, bytes written"] / result["ratio"]["copy"]
    assert abs(written - result["bytes written per byte read"]) < 1e-9
    assert not list(tmp_path.glob("prepare-*"))


def test_sound_is_read_at_both_rates(case, monkeypatch) -> None:
    rates = []

    def read_audio(path, sample_rate):
        rates.append(soundfile.info(path).samplerate)
        return original(path, sample_rate)

    original = preparation.read_audio
    monkeypatch.setattr(preparation, "read_audio", read_audio)
    monkeypatch.setattr(preparation, "AUDIO_SECONDS", 1)
    result = measure_sound(1, case)
    assert set(rates) == {16_000, 44_100}
    assert all(speed > 0 for speed in result["times_real_time"].values())
