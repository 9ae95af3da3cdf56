"""Protects credentials in URIs, and escapes control characters in texts that are printed."""

import logging
import os
from collections.abc import Iterable

from hydra_plugins.framesweep_sweeper import _credentials

URI_VARIABLE = "FRAMESWEEP_TRACKING_URI"
"""Environment variable with the tracking URI, used where `tracking.uri` is not set."""

HIDDEN = _credentials.HIDDEN
"""Placeholder of removed credentials."""


def scrub(text: str) -> str:
    """Return `text` with `***` in place of the user info and secret query values of URIs.

    The name of a database's user without a password stays.
    """
    return _credentials.hide_credentials(text)


def scrub_all_users(text: str) -> str:
    """Return `text` as earlier versions stored it: without the users of databases as well."""
    return _credentials.hide_all_users(text)


def keep_files_private(arguments: Iterable[str]) -> None:
    """Create files for this user only, if a URI with credentials is used.

    Credentials are removed from all that is written here. Another program, a core dump or a
    library's own log may write them nevertheless. Otherwise the umask decides, as usual.

    Args:
        arguments: The command line; FRAMESWEEP_TRACKING_URI is looked at as well.
    """
    texts = [*arguments, os.environ.get(URI_VARIABLE, "")]
    if any(scrub(text) != text for text in texts):
        os.umask(0o077)


def printable(text: str) -> str:
    """Return `text` with escapes such as `\\x1b` in place of control characters.

    Names and values in a study, or on a tracking server, may come from anybody. Printed as they
    are, they could move the cursor, overwrite lines, or set the title of the terminal. Line
    breaks and tabs stay.
    """
    return "".join(
        char if char.isprintable() or char in "\n\t" else _escape(char) for char in text
    )


def _escape(char: str) -> str:
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


class CleanFormatter(logging.Formatter):
    """Formats log records without the credentials and control characters in them."""

    def format(self, record: logging.LogRecord) -> str:
        return printable(scrub(super().format(record)))
