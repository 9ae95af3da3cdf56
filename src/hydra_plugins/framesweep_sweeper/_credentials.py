"""Removes credentials from what is printed, or stored with a study, which is shared."""

import re

HIDDEN = "***"
"""Placeholder of removed credentials."""

_USER_INFO = re.compile(r"(?<=://)[^\s'\"]*@")
# Hydra escapes some characters of an override with a backslash, `=` among them, and JSON
# doubles the backslash.
_QUERY = re.compile(
    r"(?<=[?&])([\w.-]*(?:password|passwd|pwd|secret|token|key|credential)[\w.-]*\\*=)[^&\s'\"]+",
    re.IGNORECASE,
)


def hide_credentials(text: str) -> str:
    """Return `text` with `***` in place of the user info and the secret query values of URIs.

    The user info is everything between `://` and the last `@` of a word. This removes too much
    from some texts, but a password may contain `@` or `/`.
    """
    return _QUERY.sub(rf"\g<1>{HIDDEN}", _USER_INFO.sub(f"{HIDDEN}@", text))
