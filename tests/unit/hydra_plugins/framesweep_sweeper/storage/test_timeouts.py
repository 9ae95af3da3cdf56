from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy

from hydra_plugins.framesweep_sweeper.storage import add_timeouts, limit_sessions
from hydra_plugins.framesweep_sweeper.storage._timeouts import CLIENT_LIMITS


def query_of(url):
    return {key: values[0] for key, values in parse_qs(urlsplit(url).query).items()}


@pytest.mark.parametrize("scheme", ["postgresql", "postgresql+psycopg", "postgresql+psycopg2"])
def test_connections_to_postgresql_get_time_limits(scheme):
    url = add_timeouts(f"{scheme}://me:s%40cret@host:5433/studies?sslmode=require")
    assert url.startswith(f"{scheme}://me:s%40cret@host:5433/studies?")
    assert query_of(url) == {"sslmode": "require", **CLIENT_LIMITS}


def test_the_limits_of_the_url_win():
    url = add_timeouts("postgresql+psycopg://host/studies?connect_timeout=3&keepalives_idle=99")
    assert query_of(url) == {**CLIENT_LIMITS, "connect_timeout": "3", "keepalives_idle": "99"}
    assert add_timeouts(url) == url


@pytest.mark.parametrize(
    "url",
    [
        *("sqlite:////a%20b/studies.db", "mysql+pymysql://me@host/studies", "/a/b.journal"),
        "postgresql+asyncpg://me@host/studies",
    ],
)
def test_what_libpq_does_not_open_is_left_as_it_is(url):
    assert add_timeouts(url) == url


def test_a_database_in_a_file_has_no_sessions_to_limit():
    engine = sqlalchemy.create_engine("sqlite://")
    limit_sessions(engine)
    with engine.connect() as connection:
        assert connection.scalar(sqlalchemy.text("SELECT 1")) == 1
