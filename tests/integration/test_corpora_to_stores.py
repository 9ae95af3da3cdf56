"""Each HW1P2 format becomes a prepared corpus; damaged files are refused and leave nothing."""

import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from framesweep.config import DataConfig, Hw1p2Config, Hw1p2FoldersConfig, SegmentsConfig
from framesweep.data.formats.npy import load_npy
from framesweep.data.readers.registry import build_corpus
from framesweep.data.store.prepared import PreparedCorpus, prepare
from framesweep.errors import DataError
from toy import NAMES, ToyCorpus, write_hw1p2

TOY = ToyCorpus()


def write_folders(root: Path) -> Path:
    """Write the toy corpus as folders, with names in the order of the corpus."""
    for split, partition in (("train", "train-clean-100"), ("dev", "dev-clean")):
        for kind in ("mfcc", "transcript"):
            (root / partition / kind).mkdir(parents=True)
        for i, u in enumerate(TOY.utterances(split)):
            assert u.labels is not None
            np.save(root / partition / "mfcc" / f"{i}.npy", u.features)
            names = ["<sos>", *[NAMES[label] for label in u.labels], "<eos>"]
            np.save(root / partition / "transcript" / f"{i}.npy", np.array(names))
    lines = "".join(f"{name} {i}\n" for i, name in enumerate(NAMES))
    (root / "phonemes.txt").write_text(lines)
    return root


def assert_equals_toy(prepared: PreparedCorpus, splits: tuple[str, ...]) -> None:
    assert prepared.phones.names == NAMES
    assert tuple(prepared.splits) == splits
    for name, arrays in prepared.splits.items():
        there = list(TOY.utterances(name))
        np.testing.assert_array_equal(arrays.lengths, [len(u.features) for u in there])
        np.testing.assert_allclose(
            arrays.features, np.concatenate([u.features for u in there]), rtol=1e-6
        )
        if name != "test":
            np.testing.assert_array_equal(
                arrays.labels, np.concatenate([u.labels for u in there])
            )


@pytest.mark.parametrize("zipped", [False, True])
def test_arrays_of_utterances_are_prepared(tmp_path: Path, zipped: bool) -> None:
    root = write_hw1p2(tmp_path / "corpus", TOY)
    for path in root.glob("*.npy") if zipped else []:
        with zipfile.ZipFile(f"{path}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.write(path, path.name)
        path.unlink()
    corpus = build_corpus(Hw1p2Config(root=str(root)))
    assert_equals_toy(prepare(corpus, tmp_path / "cache"), ("train", "dev", "test"))


def test_arrays_in_one_zip_file_are_prepared_in_place(tmp_path: Path) -> None:
    root = write_hw1p2(tmp_path / "corpus", TOY)
    with zipfile.ZipFile(tmp_path / "hw1p2.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in root.iterdir():
            archive.write(path, f"hw1p2/{path.name}")
    shutil.rmtree(root)
    corpus = build_corpus(Hw1p2Config(root=str(tmp_path / "hw1p2.zip")))
    assert_equals_toy(prepare(corpus, tmp_path / "cache"), ("train", "dev", "test"))


def test_folders_of_utterances_are_prepared(tmp_path: Path) -> None:
    root = write_folders(tmp_path / "corpus")
    corpus = build_corpus(Hw1p2FoldersConfig(root=str(root)))
    assert_equals_toy(prepare(corpus, tmp_path / "cache"), ("train", "dev"))


class Evil:
    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (self.folder,)


def save_objects(path: Path, items: list[object]) -> None:
    array = np.empty(len(items), dtype=object)
    array[:] = items
    np.save(path, array)


def hostile(path: Path) -> None:
    save_objects(path, [np.zeros((2, 6)), Evil(path.with_name("ran"))])


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])


def zero_byte(path: Path) -> None:
    path.write_bytes(b"")


def huge_header(path: Path) -> None:
    path.write_bytes(b"\x93NUMPY\x02\0" + b"\xff" * 4 + b" " * 20_000)


def other_file(path: Path) -> None:
    shutil.copy(__file__, path)


def bomb(path: Path) -> None:
    with zipfile.ZipFile(f"{path}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(path.name, bytes(2**26 + 1))
    path.unlink()


DAMAGES = {
    hostile: "must contain numpy arrays only",
    cut_short: "must contain one complete pickle|bytes must match the array's shape",
    zero_byte: "must not be empty",
    huge_header: "the header must have at most",
    other_file: "must be an .npy file",
    bomb: "must expand to at most 200 times",
}


@pytest.mark.parametrize(
    ("damage", "name"),
    [
        *((damage, name) for damage in DAMAGES for name in ("dev.npy", "train_labels.npy")),
        *((damage, "dev-clean/mfcc/1.npy") for damage in DAMAGES if damage is not bomb),
    ],
)
def test_damaged_file_is_named_and_nothing_is_left_behind(
    tmp_path: Path, damage, name: str
) -> None:
    root = tmp_path / "corpus"
    config: DataConfig
    if "/" in name:
        config = Hw1p2FoldersConfig(root=str(write_folders(root)))
    else:
        config = Hw1p2Config(root=str(write_hw1p2(root, TOY)))
    damage(root / name)
    with pytest.raises(DataError, match=DAMAGES[damage]) as raised:
        prepare(build_corpus(config), tmp_path / "cache")
    assert str(root / name) in str(raised.value)
    assert "\n" not in str(raised.value)
    assert list((tmp_path / "cache").iterdir()) == []
    assert not list(root.rglob("ran"))


REAL = Path(__file__).parents[3] / "shared" / "corpora" / "speechocean_npy"


@pytest.mark.skipif(not REAL.is_dir(), reason="needs the shared corpora")
@pytest.mark.parametrize(("first", "offset_ms"), [(0, None), (1, 22.5)])
def test_real_features_at_twice_the_shift_get_every_other_label(
    tmp_path: Path, first: int, offset_ms: float | None
) -> None:
    features, labels = (load_npy(REAL / f"dev{name}.npy") for name in ("", "_labels"))
    names = [f"{split}/{i}" for split in ("train", "dev") for i in range(3)]
    for i, name in enumerate(names):
        for folder in ("wavlm", "labels"):
            (tmp_path / folder / name).parent.mkdir(parents=True, exist_ok=True)
        # As self-supervised features are stored: a frame every 20 ms, in a batch of one.
        every_other = np.array(features[i][first::2], np.float32)
        torch.save(torch.from_numpy(every_other)[None], tmp_path / "wavlm" / f"{name}.pt")
        np.save(tmp_path / "labels" / f"{name}.npy", labels[i])
    config = SegmentsConfig(
        root=str(tmp_path),
        audio="wavlm",
        segments="labels",
        features="pt",
        shift_ms=20.0,
        # Frames of 10 ms, and their labels, are centered at 12.5, 22.5, ... ms.
        offset_ms=offset_ms,
        format="frames",
        phones=str(REAL / "phonemes.txt"),
    )
    prepared = prepare(build_corpus(config), tmp_path / "cache")
    assert len(prepared.phones) == 40
    for start, split in ((0, "train"), (3, "dev")):
        expected = [labels[i][first::2] for i in range(start, start + 3)]
        np.testing.assert_array_equal(prepared.splits[split].labels, np.concatenate(expected))
