"""Credentials are taken out of whatever looks like a URI."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framesweep.credentials import keep_files_private, printable, scrub


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("postgresql://ann:s3cret@db/x", "postgresql://***@db/x"),
        ("tracking.uri=http://ann:s3cret@host:5000", "tracking.uri=http://***@host:5000"),
        ("a http://u:p@h b https://v:q@i c", "a http://***@h b https://***@i c"),
        ("mysql://u:p@ss@host/db", "mysql://***@host/db"),
        ("mysql://u:pa/ss@host/db", "mysql://***@host/db"),
        ("http://token@host", "http://***@host"),
        ("mysql://u@host/db http://u:p@h", "mysql://u@host/db http://***@h"),
        ("mysql://token@host@h", "mysql://***@h"),
        ("notmysql://token@h", "notmysql://***@h"),
        ("http://h/p?password=s3&user=ann", "http://h/p?password=***&user=ann"),
        ("http://h/p?a=1&API_TOKEN=s3", "http://h/p?a=1&API_TOKEN=***"),
        (r"uri=postgresql\://h/db?password\=s3", r"uri=postgresql\://h/db?password\=***"),
        (r'["uri=http\\://h?token\\=s3"]', r'["uri=http\\://h?token\\=***"]'),
        ("'http://u:p@h', \"http://u:p@h\"", "'http://***@h', \"http://***@h\""),
    ],
)
def test_credentials_are_taken_out(text, clean):
    assert scrub(text) == clean


@pytest.mark.parametrize(
    "text",
    [
        "postgresql+psycopg://ann@db/x",
        r"s=postgresql\://ann@db",
        "",
        "sqlite:////tmp/a b/mlflow.db",
        "http://host:5000/x?y=1",
        "ann@example.org",
        "a=b@c",
    ],
)
def test_other_text_stays(text):
    assert scrub(text) == text


WORD = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=6, max_size=12)


@given(st.text(max_size=20), WORD, WORD, st.sampled_from(["", "/db", ":80/a?b=c"]))
def test_no_password_stays(before, user, password, after):
    assert f":{password}@" not in scrub(f"{before}http://{user}:{password}@host{after}")
    assert scrub(scrub(before)) == scrub(before)


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("a\rb\x7f\x9b2J", "a\\x0db\\x7f\\x9b2J"),
        ("abc\u202edef", "abc\\u202edef"),
        ("é 日本 …\n\tx", "é 日本 …\n\tx"),
    ],
)
def test_control_characters_are_printed_as_escapes(text, printed):
    assert printable(text) == printed


@given(st.text())
def test_nothing_that_is_printed_controls_a_terminal(text):
    assert all(char.isprintable() or char in "\n\t" for char in printable(text))


@pytest.mark.parametrize(
    ("argument", "variable", "expected"),
    [
        ("tracking.uri=http://ann:pw@host", "", 0o077),
        ("hydra.sweeper.storage=postgresql://ann:pw@host/studies", "", 0o077),
        ("hydra.sweeper.storage=postgresql+psycopg://ann@host/studies", "", 0o027),
        ("tracking.uri=http://token@host", "", 0o077),
        ("tracking.uri=http://host?token=abc", "", 0o077),
        (r"tracking.uri=http\://host?token\=abc", "", 0o077),
        ("", "http://ann:pw@host", 0o077),
        ("tracking.uri=http://host:5000", "http://host", 0o027),
        ("data.root=/data/a@b", "", 0o027),
    ],
)
def test_files_are_private_only_if_credentials_are_used(
    monkeypatch, argument, variable, expected
):
    monkeypatch.setenv("FRAMESWEEP_TRACKING_URI", variable)
    earlier = os.umask(0o027)
    try:
        keep_files_private(["-m", argument])
    finally:
        found = os.umask(earlier)
    assert found == expected
