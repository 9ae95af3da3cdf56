"""Time limits for connections to PostgreSQL whose packets are lost.

A network that drops packets resets nothing: by the defaults of Linux, a statement on its way
would wait for 15 minutes, and one that waits for its answer for two hours. The limits below
bound both at about half a minute. See
https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-PARAMKEYWORDS.

The server has the same problem in the other direction: until it notices that a client is gone,
it keeps the client's transaction open, with the locks that other processes wait for. Each
session therefore asks the server for limits as well.
"""

from typing import Any

LIBPQ_DRIVERS = ("psycopg", "psycopg2")
"""Drivers that pass the parameters of a URL on to libpq, PostgreSQL's own client library."""

CLIENT_LIMITS = {
    "connect_timeout": "10",
    "keepalives": "1",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "4",
    "tcp_user_timeout": "30000",
}
"""A connection is attempted for 10 s. A silent one is probed after 10 s, then every 5 s, and is
lost after 4 probes or after 30 s (here in ms) in which sent data was not acknowledged."""

SESSION_LIMITS = {
    "idle_in_transaction_session_timeout": "60s",
    "tcp_keepalives_idle": "10",
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "4",
    "tcp_user_timeout": "30000",
}
"""What the server does with a session whose client is silent: no transaction may wait for its
client for longer than a minute."""


def add_timeouts(url: str) -> str:
    """Return the URL of a database with time limits, unless it has limits of its own.

    Only the URLs of PostgreSQL through libpq are changed.
    """
    import sqlalchemy

    if "://" not in url:
        return url
    parsed = sqlalchemy.make_url(url)
    if parsed.get_backend_name() != "postgresql" or not _uses_libpq(parsed):
        return url
    missing = {k: v for k, v in CLIENT_LIMITS.items() if k not in parsed.query}
    return parsed.update_query_dict(missing).render_as_string(hide_password=False)


def limit_sessions(engine: Any) -> None:
    """Make each new connection of a SQLAlchemy engine ask the server for limits.

    Engines of other databases are left as they are. Limits that the user has set, in the URL or
    for the database, are kept.
    """
    from sqlalchemy import event

    if engine.dialect.name != "postgresql" or event.contains(engine, "connect", _limit_session):
        return
    event.listen(engine, "connect", _limit_session)
    engine.dispose()  # so that connections opened until now are opened anew


def _uses_libpq(url: Any) -> bool:
    # Without a driver in the URL, SQLAlchemy takes the dialect's default.
    return url.get_driver_name() in LIBPQ_DRIVERS


def _limit_session(connection: Any, record: object) -> None:
    values = ", ".join(f"('{name}', '{value}')" for name, value in SESSION_LIMITS.items())
    cursor = connection.cursor()
    # Joined with the settings that the server has: an earlier one lacks some of them.
    cursor.execute(
        "SELECT set_config(s.name, wanted.value, false) FROM pg_settings s "
        f"JOIN (VALUES {values}) AS wanted (name, value) ON wanted.name = s.name "
        "WHERE s.source IN ('default', 'configuration file')"
    )
    cursor.close()
    connection.commit()
