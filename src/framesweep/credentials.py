"""Takes credentials out of URIs before they reach a log, a tag, a param or an artifact."""

import logging
import re

HIDDEN = "***"
"""What stands for credentials that were taken out."""

_USER_INFO = re.compile(r"(?<=://)[^\s'\"]*@")
_QUERY = re.compile(
    r"(?<=[?&])([\w.-]*(?:password|passwd|pwd|secret|token|key|credential)[\w.-]*=)[^&\s'\"]+",
    re.IGNORECASE,
)


def scrub(text: str) -> str:
    """`text` with the user info and the secret query values of its URIs as `***`.

    Rather too much is taken out than too little: all from `://` to the last `@` of a word, as
    a password may itself hold `@` or `/`.
    """
    return _QUERY.sub(rf"\1{HIDDEN}", _USER_INFO.sub(f"{HIDDEN}@", text))


class CleanFormatter(logging.Formatter):
    """Formats as its base does, credentials taken out."""

    def format(self, record: logging.LogRecord) -> str:
        return scrub(super().format(record))
