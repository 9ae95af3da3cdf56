"""Removes credentials from what is printed, or stored with a study, which is shared."""

import re

HIDDEN = "***"
"""Placeholder of removed credentials."""

# Hydra escapes some characters of an override with a backslash, such as `:` and `=`, and JSON
# doubles the backslash.
_USER_INFO = re.compile(r"(?<=://)[^\s'\"]*@")
_DATABASE_USER = (
    r"(?<![\w+.-])(?:postgres(?:ql)?|mysql|mariadb)(?:\+\w+)?\\*://[\w.%-]+@(?![^\s'\"]*@)"
)
_DATABASE_USER_OR_INFO = re.compile(f"({_DATABASE_USER})|{_USER_INFO.pattern}")
_QUERY = re.compile(
    r"(?<=[?&])([\w.-]*(?:password|passwd|pwd|secret|token|key|credential)[\w.-]*\\*=)[^&\s'\"]+",
    re.IGNORECASE,
)


def hide_credentials(text: str) -> str:
    """Return `text` with `***` in place of the user info and the secret query values of URIs.

    The user info is everything between `://` and the last `@` of a word. This removes too much
    from some texts, but a password may contain `@` or `/`. The name of a database's user stays
    if there is no password; a name elsewhere may be a token.
    """
    return _hide_query(_DATABASE_USER_OR_INFO.sub(lambda found: found[1] or f"{HIDDEN}@", text))


def hide_all_users(text: str) -> str:
    """Return `text` as `hide_credentials` does, without the users of databases as well.

    Earlier versions stored texts in this form, which later ones are compared with.
    """
    return _hide_query(_USER_INFO.sub(f"{HIDDEN}@", text))


def _hide_query(text: str) -> str:
    return _QUERY.sub(rf"\g<1>{HIDDEN}", text)
