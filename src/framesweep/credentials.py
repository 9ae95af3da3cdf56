"""Takes credentials out of URIs before they reach a log, a tag, a param or an artifact."""

import re

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
    return _QUERY.sub(r"\1***", _USER_INFO.sub("***@", text))
