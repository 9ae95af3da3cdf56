"""The type of the config selects the reader."""

from pathlib import Path

import pytest

from framesweep.config import Hw1p2Config, Hw1p2FoldersConfig
from framesweep.data.readers.hw1p2_folders import Hw1p2FoldersCorpus
from framesweep.data.readers.registry import build_corpus
from framesweep.errors import DataError


def test_type_of_the_config_selects_the_reader(tmp_path: Path) -> None:
    for partition in ("train-clean-100", "dev-clean"):
        for kind in ("mfcc", "transcript"):
            (tmp_path / partition / kind).mkdir(parents=True)
    corpus = build_corpus(Hw1p2FoldersConfig(root=str(tmp_path)))
    assert isinstance(corpus, Hw1p2FoldersCorpus)


def test_error_of_the_system_is_reported_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"must be readable \(File name too long\)") as raised:
        build_corpus(Hw1p2Config(root=str(tmp_path / ("n" * 300))))
    assert "\n" not in str(raised.value)
