"""Arrays, tensors and archives of features are read; everything else is refused in one line."""

import os
import random

import kaldiio
import numpy as np
import pytest
import torch

from framesweep.data.formats.kaldi import read_array
from framesweep.data.formats.stored_features import index_archive, read_feature_file
from framesweep.errors import DataError, UnsafeFileError

FEATURES = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)


@pytest.mark.parametrize("shape", [(5, 3), (1, 5, 3)])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "bfloat16"])
def test_tensor_is_read_as_an_array(tmp_path, dtype, shape):
    tensor = torch.from_numpy(FEATURES).reshape(shape).to(getattr(torch, dtype))
    torch.save(tensor, tmp_path / "a.pt")
    found = read_feature_file(tmp_path / "a.pt")
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, tensor.reshape(5, 3).float().numpy())


def test_tensor_in_the_format_before_torch_1_6_is_read(tmp_path):
    tensor = torch.from_numpy(FEATURES)
    torch.save(tensor, tmp_path / "a.pt", _use_new_zipfile_serialization=False)
    np.testing.assert_array_equal(read_feature_file(tmp_path / "a.pt"), FEATURES)


def test_array_is_read_without_its_batch_axis(tmp_path):
    np.save(tmp_path / "a.npy", FEATURES[None])
    np.testing.assert_array_equal(read_feature_file(tmp_path / "a.npy"), FEATURES)


class Evil:
    def __init__(self, folder):
        self.folder = str(folder)

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def test_tensor_file_that_would_run_code_is_refused_and_runs_none(tmp_path):
    torch.save(Evil(tmp_path / "ran"), tmp_path / "a.pt")
    with pytest.raises(UnsafeFileError, match="one tensor only") as caught:
        read_feature_file(tmp_path / "a.pt")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"features": torch.zeros(2, 3)}, "must contain one tensor of features; found 'dict'"),
        ([torch.zeros(2, 3)], "must contain one tensor of features; found 'list'"),
        (torch.zeros(3), r"\(T, D\) floating-point features; found 'float32 \(3,\)'"),
        (torch.zeros(2, 3, dtype=torch.int64), r"floating-point features; found 'int64"),
        (torch.zeros(2, 2, 3), r"floating-point features; found 'float32 \(2, 2, 3\)'"),
        (torch.zeros(2, 3).to_sparse(), "must contain one tensor of features"),
        (torch.zeros(2, 3, device="meta"), "must contain one tensor of features"),
        (torch.zeros(2, 3, dtype=torch.complex64).conj(), "one tensor of features"),
    ],
)
def test_other_content_is_refused(tmp_path, content, message):
    torch.save(content, tmp_path / "a.pt")
    with pytest.raises(DataError, match=message):
        read_feature_file(tmp_path / "a.pt")


@pytest.mark.filterwarnings("ignore")  # torch calls nested tensors a prototype, others old
@pytest.mark.parametrize("kind", ["nested", "quantized"])
def test_tensors_that_are_no_plain_arrays_are_refused(tmp_path, kind):
    tensor = torch.zeros(2, 3)
    if kind == "nested":
        tensor = torch.nested.nested_tensor([tensor, tensor[:1]])
    else:
        tensor = torch.quantize_per_tensor(tensor, 0.1, 0, torch.qint8)
    torch.save(tensor, tmp_path / "a.pt")
    with pytest.raises(DataError, match="must contain one tensor of features") as caught:
        read_feature_file(tmp_path / "a.pt")
    assert "\n" not in str(caught.value)


def test_damaged_tensor_is_one_clear_line_or_read(tmp_path):
    path = tmp_path / "a.pt"
    torch.save(torch.from_numpy(FEATURES), path)
    content = path.read_bytes()
    rng = random.Random(0)
    for case in range(60):
        damaged = bytearray(content)
        if case % 2:
            del damaged[rng.randrange(len(damaged)) :]
        else:
            for _ in range(4):
                damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        path.write_bytes(damaged)
        # A byte may change the value of a feature, which no reader can notice.
        line = ""
        try:
            read_feature_file(path)
        except DataError as error:
            line = str(error)
        assert "\n" not in line
    with pytest.raises(DataError, match="must be a file"):
        read_feature_file(tmp_path / "none.pt")


@pytest.mark.parametrize("method", [None, 2, 3, 5])
def test_archive_without_an_index_is_read(tmp_path, method):
    path = tmp_path / "feats.ark"
    arrays = {"a-1": FEATURES, "a-2": FEATURES[:2] * 3, "b": FEATURES.astype(np.float64)}
    options = {} if method is None else {"compression_method": method}
    kaldiio.save_ark(str(path), arrays, **options)
    found = index_archive(path)
    expected = dict(kaldiio.load_ark(str(path)))
    assert list(found) == list(arrays)
    for id, location in found.items():
        np.testing.assert_array_equal(read_array(location), expected[id])


def test_damaged_archive_is_one_clear_line(tmp_path):
    path = tmp_path / "feats.ark"
    kaldiio.save_ark(str(path), {"a": FEATURES, "b": FEATURES})
    content = path.read_bytes()
    for length in [*range(1, len(content) // 2), *range(len(content) // 2 + 1, len(content))]:
        path.write_bytes(content[:length])
        with pytest.raises(DataError) as caught:
            index_archive(path)
        assert "\n" not in str(caught.value)
    path.write_bytes(content[: len(content) // 2] * 2)
    with pytest.raises(DataError, match="must list each utterance once; found 'a'"):
        index_archive(path)


@pytest.mark.parametrize("id", ["", " ", "\n"])
def test_an_empty_id_does_not_hide_the_rest_of_the_archive(tmp_path, id):
    path = tmp_path / "feats.ark"
    kaldiio.save_ark(str(path), {"a": FEATURES, "b": FEATURES})
    content = path.read_bytes()
    start = content.index(b"b \0B")
    path.write_bytes(content[:start] + id.encode() + content[start + 1 :])
    with pytest.raises(DataError, match=r"feats\.ark, byte \d+: must have an utterance id"):
        index_archive(path)
    path.write_bytes(content + b"\n")
    assert list(index_archive(path)) == ["a", "b"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a  [\n 1 2\n 3 4 ]\n", "must be a binary Kaldi archive.*copy-feats"),
        (b"a PKL....", "must be a binary Kaldi archive"),
        (b"a \0BFV \4\1\0\0\0", "must contain matrices only"),
        (b"x" * 5000, "must be a Kaldi archive"),
        (b"\xff\xfe ", "must be a Kaldi archive"),
    ],
)
def test_other_archives_are_refused(tmp_path, content, message):
    (tmp_path / "a.ark").write_bytes(content)
    with pytest.raises(DataError, match=message):
        index_archive(tmp_path / "a.ark")
