"""Removes credentials from overrides before they are stored with a study, which is shared."""

import re

HIDDEN = "***"
"""Placeholder of removed credentials."""

# Hydra escapes some characters of an override with a backslash, `=` among them.
_USER_INFO = re.compile(r"(?<=://)[^\s'\"]*@")
_QUERY = re.compile(
    r"(?<=[?&])([\w.-]*(?:password|passwd|pwd|secret|token|key|credential)[\w.-]*\\?=)[^&\s'\"]+",
    re.IGNORECASE,
)


def hide_credentials(text: str) -> str:
    """Return `text` with `***` in place of user info and secret query values of URIs."""
    return _QUERY.sub(rf"\g<1>{HIDDEN}", _USER_INFO.sub(f"{HIDDEN}@", text))
