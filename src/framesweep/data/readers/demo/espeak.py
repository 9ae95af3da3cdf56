"""The eSpeak NG synthesiser: text in, samples and the phonemes' exact times out.

A binding by ctypes to the C API of eSpeak NG 1.52 (its header speak_lib.h), whose library and
voices come with the package espeakng-loader.
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

_SYNCHRONOUS = 2
_PHONEME_EVENTS, _DONT_EXIT = 0x0001, 0x8000
_EVENT_LIST_TERMINATED, _EVENT_PHONEME = 0, 7
_POS_CHARACTER = 1
_CHARS_UTF8 = 1
_RATE, _PITCH = 1, 3
_BUFFER_MS = 1000


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
    """What was said.

    Attributes:
        samples: (N,) int16.
        phonemes: (mnemonic, first sample) of each phoneme in order. Mnemonics are eSpeak's
            own, `'` or `,` before them for primary and secondary stress; pauses begin
            with `_`.
    """

    samples: Array
    phonemes: tuple[tuple[str, int], ...]


class Espeak(AbstractContextManager["Espeak"]):
    """One synthesiser, to be used in a with statement by one thread at a time.

    The library keeps its state in global variables, and where it stands in the flutter of
    its pitch outlives even a new initialisation. Each instance therefore loads a copy of
    its own, so that what it says depends on what it was asked to say and on nothing else.

    Raises:
        DataError: the library or its data cannot be loaded.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="framesweep-espeak-")
        try:
            self._library = _load(Path(self._folder.name))
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
        """Says `text`.

        Args:
            voice: a language, or a language and a variant of the voice, as `en-us+f1`.
            rate: words a minute, 80 to 450.
            pitch: 0 to 99; 50 is the voice's own.

        Raises:
            DataError: there is no such voice.
        """
        self._set_voice(voice)
        self._library.espeak_SetParameter(_RATE, rate, 0)
        self._library.espeak_SetParameter(_PITCH, pitch, 0)
        listener = _Listener()
        callback = _Callback(listener)
        self._library.espeak_SetSynthCallback(callback)
        encoded = text.encode()
        self._library.espeak_Synth(
            encoded, len(encoded) + 1, 0, _POS_CHARACTER, 0, _CHARS_UTF8, None, None
        )
        return listener.speech()

    def _set_voice(self, voice: str) -> None:
        # An unknown variant is no error to the library, which then speaks without one.
        _, _, variant = voice.partition("+")
        unknown = variant and not (_data_folder() / "voices" / "!v" / variant).is_file()
        if unknown or self._library.espeak_SetVoiceByName(voice.encode()) != 0:
            raise DataError("eSpeak NG", "must have the voice", found=voice)


class _Listener:
    """Gathers the chunks of one utterance as the library hands them over.

    An exception, Ctrl-C among them, cannot pass through C: it ends the speech and is
    raised again afterwards.
    """

    def __init__(self) -> None:
        self.chunks: list[Array] = []
        self.phonemes: list[tuple[str, int]] = []
        self.error: BaseException | None = None

    def __call__(self, samples: Any, num_samples: int, events: Any) -> int:
        try:
            if samples and num_samples > 0:
                self.chunks.append(np.ctypeslib.as_array(samples, (num_samples,)).copy())
            self._read(events)
        except BaseException as error:
            self.error = error
            return 1
        return 0

    def _read(self, events: Any) -> None:
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


def _load(folder: Path) -> Any:
    """A copy of the library in `folder`, initialised; its `sample_rate` is in Hz.

    The data is reached through a link there, as the library cuts off paths longer than
    160 bytes.
    """
    try:
        (folder / "espeak-ng-data").symlink_to(_data_folder(), target_is_directory=True)
        copy = shutil.copy(espeakng_loader.get_library_path(), folder)
        library: Any = ctypes.CDLL(str(copy))
    except (OSError, RuntimeError) as error:
        raise DataError(
            "eSpeak NG",
            f"its library must load ({error})",
            fix="Install espeakng-loader anew, or choose another data=...",
        ) from None
    _declare(library)
    options = _PHONEME_EVENTS | _DONT_EXIT
    path = os.fsencode(folder / "espeak-ng-data")
    library.sample_rate = library.espeak_Initialize(_SYNCHRONOUS, _BUFFER_MS, path, options)
    if library.sample_rate <= 0:
        raise DataError(
            _data_folder(),
            "must hold the data of eSpeak NG",
            fix="Install espeakng-loader anew, or set TMPDIR to a short path.",
        )
    return library


def _declare(library: Any) -> None:
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
