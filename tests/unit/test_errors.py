"""Messages, exit codes and pickling of deliberate exceptions."""

import pickle
import signal

import pytest

from framesweep.errors import (
    CallbackAborted,
    ConfigError,
    DataError,
    FramesweepError,
    Interrupted,
    UserError,
    moved_data,
    unwrapped_aborts,
)


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ConfigError("a.b", "must be 1"), "a.b: must be 1"),
        (ConfigError("a.b", "must be 1", found=2), "a.b: must be 1; found 2"),
        (ConfigError("a.b", "must be 1", found=None), "a.b: must be 1; found None"),
        (
            DataError("a.b", "must be c", found=["train", "dev"]),
            "a.b: must be c; found train, dev",
        ),
        (DataError("a.b", "must be c", found=[]), "a.b: must be c; found none"),
        (DataError("a.b", "must be c", found=(2, 3)), "a.b: must be c; found (2, 3)"),
        (ConfigError("a.b", "must be 1", fix="Type 1."), "a.b: must be 1. Type 1."),
        (
            DataError("file", "must exist", found="x", fix="Copy it."),
            "file: must exist; found 'x'. Copy it.",
        ),
    ],
)
def test_a_message_has_the_place_the_rule_the_value_and_the_fix(error: UserError, line: str):
    assert str(error) == line


def test_the_exit_code_tells_errors_of_the_user_from_others():
    assert ConfigError("a", "b").exit_code == 2
    assert FramesweepError("a").exit_code == 1
    assert Interrupted(signal.SIGTERM).exit_code == 128 + 15
    assert str(Interrupted(signal.SIGINT)) == "stopped by SIGINT"


def test_an_error_reaches_another_process_unchanged():
    error = DataError("file", "must exist", found="x", fix="Copy it.")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is DataError
    assert str(copy) == str(error)
    assert (copy.where, copy.rule, copy.fix) == ("file", "must exist", "Copy it.")


def test_an_abort_keeps_the_cause_of_its_error():
    error = ValueError("summary")
    error.__cause__ = KeyError("detail")
    with pytest.raises(ValueError, match="summary") as raised, unwrapped_aborts():
        raise CallbackAborted(error)
    assert raised.value.__cause__ is error.__cause__ is not None


def test_an_error_about_data_that_has_moved_says_what_to_do():
    def read(where, fix=""):
        with moved_data("Pass --set data.root=FOLDER."):
            raise DataError(where, "must be a folder", found="/x", fix=fix)

    with pytest.raises(
        DataError, match=r"^data.root: must be a folder; found '/x'. Pass --set"
    ):
        read("data.root")
    with pytest.raises(DataError, match=r"found '/x'\. Unpack it\.$"):
        read("data.root", "Unpack it.")
    with pytest.raises(DataError, match=r"^train.npy: must be a folder; found '/x'$"):
        read("train.npy")
