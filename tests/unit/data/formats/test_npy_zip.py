"""An array in a .npy.zip file is read; bombs and damaged archives are refused in one line."""

import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from framesweep.data.formats import npy_zip
from framesweep.data.formats.npy import load_npy
from framesweep.errors import DataError
from npy_files import npy_bytes, refused, zipped

FEATURES = np.arange(6).reshape(3, 2) / 4.0


@pytest.mark.parametrize(
    "method",
    [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA],
)
def test_object_array_is_read(tmp_path: Path, method: int) -> None:
    items = np.array([FEATURES, FEATURES[:2]], dtype=object)
    members = {"__MACOSX/._a.npy": b"finder", "train.npy": npy_bytes(items)}
    back = load_npy(zipped(tmp_path / "a.npy.zip", members, method))
    np.testing.assert_array_equal(back[0], FEATURES)
    np.testing.assert_array_equal(back[1], FEATURES[:2])


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"a.txt": b"text"},
        {"a.npy": npy_bytes(FEATURES), "b.npy": npy_bytes(FEATURES)},
    ],
)
def test_zip_of_anything_but_one_array_is_refused(
    tmp_path: Path, members: dict[str, bytes]
) -> None:
    path = zipped(tmp_path / "a.npy.zip", members)
    with pytest.raises(DataError, match=r"must contain exactly one \.npy file"):
        load_npy(path)


def test_member_without_a_name_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.npy.zip", {"a.npy": npy_bytes(FEATURES)})
    nameless = path.read_bytes().replace(b"a.npy", b"\0.npy")
    assert "must contain exactly one .npy file" in refused(path, nameless)


def test_member_name_outside_the_folder_writes_no_file(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.npy.zip", {"../../out.npy": npy_bytes(FEATURES)})
    np.testing.assert_array_equal(load_npy(path), FEATURES)
    assert list(tmp_path.iterdir()) == [path]


def test_bomb_is_refused_before_decompression(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(npy_zip, "SMALL_ZIP", 10_000)
    content = npy_bytes(np.zeros((1000, 1000)))
    path = zipped(tmp_path / "a.npy.zip", {"a.npy": content})
    assert path.stat().st_size * npy_zip.MAX_ZIP_RATIO < len(content)
    tracemalloc.start()
    with pytest.raises(DataError, match="must expand to at most 200 times"):
        load_npy(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000


def test_bomb_that_declares_a_small_size_is_refused(tmp_path: Path) -> None:
    content = npy_bytes(np.zeros((1000, 1000)))
    path = zipped(tmp_path / "a.npy.zip", {"a.npy": content})
    lying = path.read_bytes().replace(struct.pack("<I", len(content)), struct.pack("<I", 200))
    assert "must be a readable zip archive" in refused(path, lying)


def test_declared_size_beyond_the_content_is_refused(tmp_path: Path) -> None:
    content = npy_bytes(FEATURES)
    path = zipped(tmp_path / "a.npy.zip", {"a.npy": content})
    more = struct.pack("<I", npy_zip.SMALL_ZIP)
    refused(path, path.read_bytes().replace(struct.pack("<I", len(content)), more))


def test_small_zip_of_any_ratio_is_read(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.npy.zip", {"a.npy": npy_bytes(np.zeros((1000, 1000)))})
    assert load_npy(path).shape == (1000, 1000)


@pytest.mark.parametrize("kept", [0, 0.3, 0.7, 0.95])
def test_damaged_zip_is_refused(tmp_path: Path, kept: float) -> None:
    path = zipped(tmp_path / "a.npy.zip", {"a.npy": npy_bytes(FEATURES)})
    content = path.read_bytes()
    refused(path, content[: int(kept * len(content))])


def test_flipped_content_is_refused(tmp_path: Path) -> None:
    saved = {"a.npy": npy_bytes(FEATURES)}
    path = zipped(tmp_path / "a.npy.zip", saved, zipfile.ZIP_STORED)
    content = bytearray(path.read_bytes())
    content[content.index(b"\x93NUMPY") + 140] ^= 1
    assert "must be a readable zip archive" in refused(path, bytes(content))


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damaged_compression_is_refused(tmp_path: Path, method: int) -> None:
    path = zipped(tmp_path / "a.npy.zip", {"a.npy": npy_bytes(FEATURES)}, method)
    content = bytearray(path.read_bytes())
    content[50:60] = b"\xa5" * 10
    assert "must be a readable zip archive" in refused(path, bytes(content))


def test_encrypted_zip_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.npy.zip", {"a.npy": npy_bytes(FEATURES)})
    content = bytearray(path.read_bytes())
    content[6] |= 1
    content[content.index(b"PK\1\2") + 8] |= 1
    assert "must be a readable zip archive" in refused(path, bytes(content))
