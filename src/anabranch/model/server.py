"""Addresses of database servers: a password is a reference, or stands where the server's own tools look for it."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

SCHEMES = ("postgresql://", "postgres://")
"""How the address of a PostgreSQL starts."""

_HOST = re.compile(r"(\[[0-9A-Fa-f:.%]+\]|[^\[\]:@/]*)(:\d+)?")


def is_server(url: str) -> bool:
    """Tell whether a URL is a server's.

    >>> is_server("postgresql://db/x"), is_server("s3://bucket/x")
    (True, False)
    """
    return url.startswith(SCHEMES)


def refusal(url: str) -> tuple[str, str, str]:
    """Return code, message and hint of what is wrong with a server's address, or nothing; it is never shown itself.

    >>> refusal("postgresql://ann@db.example.com:5432/x?password=secret://env/STATE_PASSWORD&sslmode=require")
    ('', '', '')
    >>> refusal("postgresql://ann:pass@db.example.com/x")[:2]
    ('bad-secret', 'has a password in the address of its state')
    """
    hint = "write ?password=secret://env/NAME, or use PGPASSWORD or a passfile"
    try:
        parts = urlsplit(url)
        given = dict(parse_qsl(parts.query, strict_parsing=bool(parts.query)))
    except ValueError:
        return ("bad-state", "has an address of its state that nobody can read", EXAMPLE)
    user, _, hosts = parts.netloc.rpartition("@")
    if ":" in user or "@" in user or "@" in parts.path:
        return ("bad-secret", "has a password in the address of its state", hint)
    for name, value in given.items():
        if ("password" in name or "secret" in name) and not (name == "password" and value.startswith("secret://")):
            return ("bad-secret", f"has a {name} in the address of its state that is not a reference", hint)
    if parts.fragment or not all(_HOST.fullmatch(host) for host in hosts.split(",")):
        return ("bad-state", "has an address of its state that nobody can read", EXAMPLE)
    return ("", "", "")


EXAMPLE = "such as postgresql://user@host:5432/database; write %2F and %40 for / and @ in a name"
"""What an address looks like."""


def split_password(url: str) -> tuple[str, str]:
    """Return an address without its password, and the reference to that; empty where it is the tools' own affair.

    >>> split_password("postgresql://ann@db/x?password=secret://env/PW&sslmode=require")
    ('postgresql://ann@db/x?sslmode=require', 'secret://env/PW')
    >>> split_password("postgresql://db/x")
    ('postgresql://db/x', '')
    """
    parts = urlsplit(url)
    given = dict(parse_qsl(parts.query))
    reference = given.pop("password", "")
    return parts._replace(query=urlencode(given, quote_via=quote)).geturl(), reference


def shown(url: str) -> str:
    """Return which server and database an address means: no user, no settings.

    >>> shown("postgresql://ann@db.example.com:5433/x?sslmode=require")
    'postgresql://db.example.com:5433/x'
    """
    parts = urlsplit(url)
    return f"postgresql://{parts.netloc.rpartition('@')[2]}{parts.path}"
