"""Errors of the store's files, told as where, what, and one thing to try."""

from __future__ import annotations

import errno
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

from anabranch.model.errors import AnabranchError

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

_WRITABLE = "make the folder writable"
_SPACE = "free disk space, then run the same command again"
_MOVE = "move the file away: published data is not touched, only the history of runs is lost"
_HINTS = {
    "full": _SPACE,
    "readonly": _WRITABLE,
    "unable to open": _WRITABLE,
    "locked": "another process writes for more than 30 s: look at `anabranch runs list`",
    "malformed": _MOVE,
    "not a database": _MOVE,
}


@contextmanager
def told(path: Path, what: str = "the store") -> Generator[None]:
    """Turn the system's and SQLite's errors into ours.

    Args:
        path: what was read or written, where the error does not say.
        what: it is, for people.

    Raises:
        AnabranchError: `store-failed`.
    """
    try:
        yield
    except sqlite3.DatabaseError as error:
        text = str(error)
        hint = next((hint for part, hint in _HINTS.items() if part in text), "anabranch doctor")
        message = f"the store {path}: {text}"
        raise AnabranchError(message, code="store-failed", hint=hint) from error
    except OSError as error:
        message = f"{what} {error.filename or path}: {error.strerror or error}"
        hint = _SPACE if error.errno in {errno.ENOSPC, errno.EDQUOT} else _WRITABLE
        raise AnabranchError(message, code="store-failed", hint=hint) from error
