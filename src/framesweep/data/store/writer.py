"""Writes a corpus as the flat arrays that `framesweep.data.store.prepared` opens."""

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from framesweep.data.checks import validate_features, validate_labels
from framesweep.data.corpus import Array, Corpus, Utterance
from framesweep.data.store.ahead import ContentDigest
from framesweep.data.store.integrity import ChecksumFile
from framesweep.errors import DataError
from framesweep.system.progress_bars import track


def write_corpus(corpus: Corpus, folder: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Validate all utterances and write their arrays to `folder`.

    Returns:
        The content of meta.json, without the format version, and the checksums of the large
        files by name.

    Raises:
        DataError: the corpus breaks a rule; the error names the first utterance that does.
    """
    names = corpus.splits()
    for needed in ("train", "dev"):
        if needed not in names:
            raise DataError(corpus.name, f"must have a {needed} split", found=list(names))
    with ContentDigest() as digest:
        writer = _Writer(folder, digest)
        splits = {name: writer.add_split(corpus, name) for name in names}
        content = digest.hexdigest()
    # Only now: a corpus without a list of phones names them by the largest label.
    phones = corpus.phone_set(writer.num_classes)
    if len(phones) < writer.num_classes:
        raise DataError(
            corpus.name,
            f"labels must be less than the number of phones, {len(phones)}",
            found=writer.num_classes - 1,
        )
    meta = {
        "name": corpus.name,
        "digest": content,
        "feature_dim": writer.feature_dim,
        "phones": phones.names,
        "splits": splits,
    }
    return meta, writer.checksums


class _Writer:
    """Writes utterances as the reader yields them, and keeps only a few in memory."""

    def __init__(self, folder: Path, digest: ContentDigest) -> None:
        self.folder = folder
        self.digest = digest
        self.feature_dim = 0
        self.num_classes = 0
        self.checksums: dict[str, str] = {}

    def add_split(self, corpus: Corpus, name: str) -> dict[str, Any]:
        lengths: list[int] = []
        pairs: list[tuple[str, str]] = []
        labelled: bool | None = None
        with ExitStack() as stack:
            features_file = stack.enter_context(ChecksumFile(self.folder / f"{name}.features"))
            labels_file = stack.enter_context(ChecksumFile(self.folder / f"{name}.labels"))
            # One utterance at a time: a split may be larger than the memory.
            utterances = track(
                corpus.utterances(name), f"Preparing {name}", corpus.num_utterances(name)
            )
            for utterance in utterances:
                features, labels = self._validate(utterance, f"{corpus.name} {name}")
                if labelled is not None and labelled != (labels is not None):
                    raise DataError(
                        f"{corpus.name} {name}",
                        "either all utterances must have labels or none",
                        found=utterance.id,
                    )
                labelled = labels is not None
                _append(features_file, features, self.digest)
                if labels is not None:
                    _append(labels_file, labels, self.digest)
                lengths.append(len(features))
                pairs.append((utterance.id, utterance.speaker))
        self.checksums |= {
            f"{name}.features": features_file.checksum,
            f"{name}.labels": labels_file.checksum,
        }
        return self._close_split(corpus, name, lengths, pairs, bool(labelled))

    def _close_split(
        self,
        corpus: Corpus,
        name: str,
        lengths: list[int],
        pairs: list[tuple[str, str]],
        labelled: bool,
    ) -> dict[str, Any]:
        if not lengths:
            raise DataError(f"{corpus.name} {name}", "must contain at least one utterance")
        if not labelled and name != "test":
            raise DataError(f"{corpus.name} {name}", "must have labels")
        if not labelled:
            # It had to be opened before the first utterance showed that there are none.
            (self.folder / f"{name}.labels").unlink()
        np.asarray(lengths, dtype=np.int64).tofile(self.folder / f"{name}.lengths")
        (self.folder / f"{name}.utterances.json").write_text(json.dumps(pairs))
        return {
            "num_utterances": len(lengths),
            "num_frames": sum(lengths),
            "labelled": labelled,
        }

    def _validate(self, utterance: Utterance, split: str) -> tuple[Array, Array | None]:
        where = f"{split}, utterance {utterance.id}"
        features = validate_features(utterance.features, where)
        # One network serves all splits, so they must agree.
        self.feature_dim = self.feature_dim or features.shape[1]
        if features.shape[1] != self.feature_dim:
            raise DataError(
                where,
                f"must have {self.feature_dim} features per frame, as in the first utterance",
                found=features.shape[1],
            )
        if utterance.labels is None:
            return features, None
        labels = validate_labels(utterance.labels, len(features), where)
        self.num_classes = max(self.num_classes, int(labels.max()) + 1)
        return features, labels


def _append(handle: ChecksumFile, array: Array, digest: ContentDigest) -> None:
    """Write an array in C order, and add it to the digest."""
    contiguous = np.ascontiguousarray(array)
    digest.update(contiguous)
    handle.write(contiguous.data)
