"""Removes credentials from URIs before they reach a log, a tag, a param or an artifact."""

import logging
import re

HIDDEN = "***"
"""Placeholder of removed credentials."""

_USER_INFO = re.compile(r"(?<=://)[^\s'\"]*@")
_QUERY = re.compile(
    r"(?<=[?&])([\w.-]*(?:password|passwd|pwd|secret|token|key|credential)[\w.-]*=)[^&\s'\"]+",
    re.IGNORECASE,
)


def scrub(text: str) -> str:
    """Return `text` with `***` in place of the user info and the secret query values of URIs.

    The user info is everything between `://` and the last `@` of a word. This removes too much
    from some texts, but a password may contain `@` or `/`.
    """
    return _QUERY.sub(rf"\1{HIDDEN}", _USER_INFO.sub(f"{HIDDEN}@", text))


class CleanFormatter(logging.Formatter):
    """Formats log records without the credentials in them."""

    def format(self, record: logging.LogRecord) -> str:
        return scrub(super().format(record))
