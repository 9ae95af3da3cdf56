"""The line that describes an error which a user can fix, whichever library raised it.

Hydra and OmegaConf, which take a quarter of a second to import, are imported only for errors of
theirs. Errors of the system need no import: at the limit of open files there could be none.
"""

import errno
from collections.abc import Sequence

from framesweep.system.out_of_memory import describe_out_of_memory

FIXABLE_ERRNOS = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS),
    *(errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP),
    *(errno.EMFILE, errno.ENFILE, errno.EFBIG, errno.ENAMETOOLONG),
    errno.EPIPE,
}
"""System errors that a user can fix: a full disk, missing permissions, a missing directory, a
limit of the system."""

ADVICE = {
    errno.EMFILE: ". Raise the limit with ulimit -n",
    errno.EROFS: ". Choose another place, as with outputs=FOLDER or --out",
    errno.EACCES: ". Change its permissions, or write to another place, as with outputs=FOLDER "
    "or --out",
    errno.ENOTDIR: ". A folder in this path is a file: choose another path",
    errno.EFBIG: ". Raise the limit with ulimit -f, or use another file system",
}
"""What to do about a system error whose text does not say it."""

LIMIT_TEXTS = ("failed to map segment", "Cannot allocate memory", "can't start new thread")
"""Texts of errors where a limit of memory or processes stops a library."""


CONFIG_ERRORS = {
    ("hydra.errors", "HydraException"),
    ("omegaconf.errors", "OmegaConfBaseException"),
    ("yaml.error", "YAMLError"),
}
"""Modules and names of the classes of errors in a config."""


def describe_error(error: Exception, arguments: Sequence[str]) -> str | None:
    """Return a line about an error that the user can fix; None for any other.

    Args:
        error: An exception that is not one of framesweep's own.
        arguments: The command line, or the overrides of a call.
    """
    return describe_out_of_memory(error) or _describe_other(error, arguments)


def _describe_other(error: Exception, arguments: Sequence[str]) -> str | None:
    # First, because Hydra's error about a missing config is an OSError as well.
    if CONFIG_ERRORS & {(base.__module__, base.__name__) for base in type(error).__mro__}:
        return _describe_config_error(error, arguments)
    if isinstance(error, OSError):
        line = f"{error.filename or 'disk'}: {error.strerror}{ADVICE.get(error.errno or 0, '')}"
        return line if error.errno in FIXABLE_ERRNOS else None
    if isinstance(error, ImportError | RuntimeError) and any(
        text in str(error) for text in LIMIT_TEXTS
    ):
        return f"memory: must suffice for the libraries and their threads ({error})"
    if isinstance(error, RuntimeError | ValueError):
        return _describe_wrong_value(error, arguments)
    return None


def _describe_config_error(error: Exception, arguments: Sequence[str]) -> str | None:
    from yaml import YAMLError

    from framesweep.config import SCHEMAS
    from framesweep.config.messages.config_errors import (
        describe_config_error,
        describe_yaml_error,
    )
    from framesweep.config.messages.unknown_keys import default_keys

    if isinstance(error, YAMLError):
        return describe_yaml_error(error)
    return describe_config_error(error, [*default_keys(), *SCHEMAS], arguments)


def _describe_wrong_value(error: Exception, arguments: Sequence[str]) -> str | None:
    from framesweep.config.groups import option_groups
    from framesweep.config.messages.config_errors import (
        describe_bad_choice,
        describe_missing_launcher,
    )
    from framesweep.config.messages.refusals import describe_refusal
    from framesweep.config.user_files import describe_undecodable

    if isinstance(error, UnicodeDecodeError):
        return describe_undecodable(arguments)
    line = describe_missing_launcher(error) or describe_refusal(str(error))
    return line or describe_bad_choice(error, arguments, option_groups())
