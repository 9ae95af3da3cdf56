"""Wrote the files in the folders next to it, under Python 2 and 3: python make.py FOLDER.

Each folder is named after the Python and numpy that ran this.
"""

import sys

import numpy as np


def objects(items):
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array


def save(name, array):
    np.save(sys.argv[1] + "/" + name, array)


features = np.arange(6).reshape(3, 2) / 4.0
save(
    "features.npy",
    objects(
        [
            features.astype("f2"),
            features[:1].astype("<f4"),
            features[:0].astype("f8"),
            np.asfortranarray(features.astype(">f8")),
        ]
    ),
)
save(
    "labels.npy",
    objects([np.array([1, 2, 0], "i8"), np.array([5], "u1"), np.array([300], ">i2")]),
)
save("text.npy", objects(["[SOS]", "AA", "[EOS]"]))
save("scalars.npy", objects([np.float32(1.5), np.str_("AA")]))
save("plain.npy", np.asfortranarray(features.astype(">f4")))
