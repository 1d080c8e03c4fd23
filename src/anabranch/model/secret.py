"""Secrets: references to them, and what looks like one itself."""

from __future__ import annotations

import re

_REFERENCE = re.compile(r"secret://[a-z][a-z0-9-]*/.+")
_NAME = re.compile(r"(^|_)(PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|ACCESS_KEY|PRIVATE_KEY|CREDENTIALS?)$", re.IGNORECASE)
"""A name that nobody gives to what everybody may read."""
_PASSWORD = re.compile(r"://[^/@\s]*:[^/@\s]+@")


def is_reference(text: str) -> bool:
    """Return whether a text names a secret, and where it is kept.

    >>> is_reference("secret://env/TOKEN"), is_reference("hunter2")
    (True, False)
    """
    return _REFERENCE.fullmatch(text) is not None


def has_password(address: str) -> bool:
    """Return whether an address has a password in it.

    >>> has_password("postgresql://me:hunter2@host/db"), has_password("postgresql://me@host:5432/db")
    (True, False)
    """
    return _PASSWORD.search(address) is not None


def is_told(name: str, value: str) -> bool:
    """Return whether a variable seems to hold a secret itself, by its name, or by a password in an address.

    >>> is_told("DB_PASSWORD", "hunter2"), is_told("DB", "postgresql://me:hunter2@host/db")
    (True, True)
    >>> is_told("DB_PASSWORD", "secret://env/DB_PASSWORD"), is_told("TOKEN_URL", "https://host"), is_told("TOKEN", "")
    (False, False, False)
    """
    return bool(value) and not is_reference(value) and (bool(_NAME.search(name)) or has_password(value))
