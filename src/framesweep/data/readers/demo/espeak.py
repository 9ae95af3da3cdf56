"""Binds the eSpeak NG speech synthesizer: it turns text into samples and timed phonemes.

A ctypes binding to the C API of eSpeak NG 1.52, as its header `speak_lib.h` declares it. The
package espeakng-loader contains the library and the voices.
"""

import ctypes
import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import espeakng_loader
import numpy as np

from framesweep.data.corpus import Array
from framesweep.errors import DataError
from framesweep.system.signals import deferred_signals

# Constants of speak_lib.h, under its names without the prefix.
# SYNCHRONOUS hands the samples to a callback and returns when all are done. DONT_EXIT makes a
# failed initialization return an error instead of ending the process.
_SYNCHRONOUS = 2
_PHONEME_EVENTS, _DONT_EXIT = 0x0001, 0x8000
_EVENT_LIST_TERMINATED, _EVENT_PHONEME = 0, 7
_POS_CHARACTER = 1
_CHARS_UTF8 = 1
_RATE, _PITCH = 1, 3
_BUFFER_MS = 1000


# The layouts of the union and the struct espeak_EVENT. Their fields must keep this order.
class _Id(ctypes.Union):
    _fields_ = [
        ("number", ctypes.c_int),
        ("name", ctypes.c_char_p),
        ("string", ctypes.c_char * 8),
    ]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Id),
    ]


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


@dataclass(frozen=True, slots=True)
class Speech:
    """A synthesized utterance.

    Attributes:
        samples: (N,) int16.
        phonemes: (mnemonic, first sample) of each phoneme in order. Mnemonics are eSpeak's,
            preceded by `'` for primary and `,` for secondary stress; pauses start with `_`.
    """

    samples: Array
    phonemes: tuple[tuple[str, int], ...]


class Espeak(AbstractContextManager["Espeak"]):
    """A synthesizer. Use it in a `with` statement, in one thread at a time.

    The library keeps its state in global variables, and the phase of its pitch flutter survives
    even a new initialization. Each instance therefore loads its own copy of the library, so
    that its output depends only on the calls of this instance: a corpus must be reproducible.

    Raises:
        DataError: the library or its data cannot be loaded.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="framesweep-espeak-")
        try:
            self._library = _load_library(Path(self._folder.name))
        except BaseException:
            self._folder.cleanup()
            raise
        self.sample_rate: int = self._library.sample_rate

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._library.espeak_Terminate()
        self._folder.cleanup()

    def speak(self, text: str, voice: str, *, rate: int = 175, pitch: int = 50) -> Speech:
        """Synthesize `text`.

        Args:
            text: what to say.
            voice: a language, optionally with a variant of the voice, such as `en-us+f1`.
            rate: words per minute, 80 to 450.
            pitch: 0 to 99; 50 is the voice's own pitch.

        Raises:
            DataError: the voice does not exist.
        """
        self._set_voice(voice)
        self._library.espeak_SetParameter(_RATE, rate, 0)
        self._library.espeak_SetParameter(_PITCH, pitch, 0)
        collector = _Collector()
        # Kept in a variable: the library holds a pointer that does not keep the object alive.
        callback = _Callback(collector)
        self._library.espeak_SetSynthCallback(callback)
        encoded = text.encode()
        with deferred_signals():
            self._library.espeak_Synth(
                encoded, len(encoded) + 1, 0, _POS_CHARACTER, 0, _CHARS_UTF8, None, None
            )
        return collector.speech()

    def _set_voice(self, voice: str) -> None:
        # The library ignores an unknown variant and speaks without one.
        _, _, variant = voice.partition("+")
        unknown = variant and not (_data_folder() / "voices" / "!v" / variant).is_file()
        if unknown or self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise DataError("eSpeak NG", "the voice must exist", found=voice)


class _Collector:
    """Collects the chunks of one utterance as the library calls back with them.

    ctypes would print and ignore an exception in a callback. It is kept instead, the library is
    told to stop, and `speech` raises it.
    """

    def __init__(self) -> None:
        self.chunks: list[Array] = []
        self.phonemes: list[tuple[str, int]] = []
        self.error: BaseException | None = None

    def __call__(self, samples: Any, num_samples: int, events: Any) -> int:
        try:
            # At the end of the text the library calls once more, without samples.
            if samples and num_samples > 0:
                # A copy: the library reuses its buffer for the next chunk.
                self.chunks.append(np.ctypeslib.as_array(samples, (num_samples,)).copy())
            self._add_phonemes(events)
        except BaseException as error:
            self.error = error
            return 1  # stops the synthesis
        return 0

    def _add_phonemes(self, events: Any) -> None:
        index = 0
        while events[index].type != _EVENT_LIST_TERMINATED:
            if events[index].type == _EVENT_PHONEME:
                mnemonic = events[index].id.string.decode()
                self.phonemes.append((mnemonic, events[index].sample))
            index += 1

    def speech(self) -> Speech:
        if self.error is not None:
            raise self.error
        samples = np.concatenate([np.empty(0, dtype=np.int16), *self.chunks])
        return Speech(samples, tuple(self.phonemes))


def _data_folder() -> Path:
    return Path(espeakng_loader.get_data_path())


def _load_library(folder: Path) -> Any:
    """Copy the library into `folder`, load and initialize it, and return it.

    Its attribute `sample_rate` is in Hz. The voice data is reached through a link in `folder`,
    because the library truncates paths longer than 160 bytes (`N_PATH_HOME`).
    """
    try:
        _link_or_copy(folder / "espeak-ng-data", _data_folder())
        # The system loads a file only once per process, and all users would share its state.
        copy = shutil.copy(espeakng_loader.get_library_path(), folder)
        library: Any = ctypes.CDLL(str(copy))
    except (OSError, RuntimeError) as error:
        raise DataError(
            "eSpeak NG",
            f"its library must be loadable ({error})",
            fix="Reinstall espeakng-loader, or choose another data=...",
        ) from None
    _declare_arguments(library)
    options = _PHONEME_EVENTS | _DONT_EXIT
    path = os.fsencode(folder / "espeak-ng-data")
    library.sample_rate = library.espeak_Initialize(_SYNCHRONOUS, _BUFFER_MS, path, options)
    if library.sample_rate <= 0:
        raise DataError(
            _data_folder(),
            "must contain the data of eSpeak NG",
            fix="Reinstall espeakng-loader, or set TMPDIR to a short path.",
        )
    return library


def _link_or_copy(path: Path, target: Path) -> None:
    """Make `path` a link to the folder `target`, or a copy where links are not allowed.

    On Windows only administrators and developers may create links.
    """
    try:
        path.symlink_to(target, target_is_directory=True)
    except (OSError, NotImplementedError):
        shutil.copytree(target, path)


def _declare_arguments(library: Any) -> None:
    # Without declarations ctypes would pass every integer as a C int, size_t included.
    c_int, c_uint, c_char_p = ctypes.c_int, ctypes.c_uint, ctypes.c_char_p
    arguments: dict[str, list[Any]] = {
        "espeak_Initialize": [c_int, c_int, c_char_p, c_int],
        "espeak_Terminate": [],
        "espeak_SetVoiceByName": [c_char_p],
        "espeak_SetParameter": [c_int, c_int, c_int],
        "espeak_SetSynthCallback": [_Callback],
        "espeak_Synth": [
            c_char_p, ctypes.c_size_t, c_uint, c_int, c_uint, c_uint,
            ctypes.POINTER(c_uint), ctypes.c_void_p,
        ],
    }  # fmt: skip
    for name, types in arguments.items():
        function: Callable[..., Any] = getattr(library, name)
        function.argtypes = types  # type: ignore[attr-defined]
