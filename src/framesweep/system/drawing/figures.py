"""Saves figures of matplotlib, and prepares the names that are drawn in them."""

import functools
import warnings
from pathlib import Path
from typing import Any

from matplotlib import font_manager
from matplotlib.figure import Figure

from framesweep.system.atomic_files import atomic_file

DPI = 150
"""Dots per inch of saved figures: sharp on the screens of today's laptops."""

MAX_PIXELS = 1990
"""Largest side of a figure that is not fitted to what is drawn; larger ones have fewer dots."""

PLAIN_TEXT: dict[Any, bool] = {"text.parse_math": False}
"""Settings with which a name that contains two dollar signs is no formula."""


def to_label(name: str) -> str:
    """Return a name with code points, as `U+0915`, for characters that matplotlib cannot draw.

    Its own font has Latin, Greek and Cyrillic letters and the phonetic alphabet. It would draw
    other scripts as empty boxes that all look alike, and warn about each of them.
    """
    glyphs = _list_glyphs()
    return "".join(
        char if ord(char) in glyphs else f"U+{ord(char):04X}" for char in name if char != "\n"
    )


@functools.cache
def _list_glyphs() -> frozenset[int]:
    path = font_manager.findfont(font_manager.FontProperties())
    return frozenset(font_manager.get_font(path).get_charmap())


def save_png(figure: Figure, path: Path, *, tight: bool = False) -> None:
    """Save a figure as PNG, atomically.

    Args:
        tight: Whether to fit the picture to what is drawn.
    """
    dpi = min(DPI, MAX_PIXELS / max(figure.get_size_inches()))
    with warnings.catch_warnings(), atomic_file(path) as temporary:
        # Texts that a library draws may still have characters without a glyph.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        warnings.filterwarnings("ignore", message=".* does not support .* natively")
        figure.savefig(temporary, dpi=dpi, format="png", bbox_inches="tight" if tight else None)
