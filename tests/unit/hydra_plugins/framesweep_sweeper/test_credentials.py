import pytest

from hydra_plugins.framesweep_sweeper._credentials import hide_all_users, hide_credentials


def test_the_user_of_a_database_without_a_password_is_no_credential():
    url = "mariadb+pymysql://ann@db/x?a=1"
    assert hide_credentials(f"{url}&password=pw") == f"{url}&password=***"
    assert hide_all_users(url) == "mariadb+pymysql://***@db/x?a=1"


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("uri=http://ann:pw@host:5000/x", "uri=http://***@host:5000/x"),
        (r"uri=http\://ann\:pw@host", r"uri=http\://***@host"),
        (
            "uri=postgresql://host/db?user=a&password=pw",
            "uri=postgresql://host/db?user=a&password=***",
        ),
        (r"uri=http\://host?token\=pw&a\=b", r"uri=http\://host?token\=***&a\=b"),
        (r'["uri=http\\://host?token\\=pw"]', r'["uri=http\\://host?token\\=***"]'),
        ("optim.lr=0.1", "optim.lr=0.1"),
        ("path=/data/a@b", "path=/data/a@b"),
    ],
)
def test_credentials_in_uris_are_hidden(text, hidden):
    assert hide_credentials(text) == hidden
