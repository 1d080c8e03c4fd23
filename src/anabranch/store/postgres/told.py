"""Errors of a PostgreSQL, told as where, what, and one thing to try. What the server says has no password in it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from anabranch.model.errors import ConflictError
from anabranch.model.server import EXAMPLE

if TYPE_CHECKING:
    from collections.abc import Generator

_DENIED = ("authentication failed", "pg_hba.conf", "permission denied", "no password supplied", "is not permitted")
_MISSHAPEN = ("22", "23", "42")
"""Classes of errors: wrong data, broken constraints, unknown tables and columns.
Source: https://www.postgresql.org/docs/current/errcodes-appendix.html"""
_RIGHTS = "look at the user, its password and its rights: it needs a schema anabranch, or the right to make one"
_AWAY = "restore them, or drop the schema anabranch: what is deployed carries our mark, so the next plan finds it again"


@contextmanager
def told(where: str) -> Generator[None]:
    """Turn psycopg's errors into ours.

    Raises:
        ConflictError: `state-unreachable`, `state-denied`, `state-unreadable`, `state-busy`.
    """
    try:
        yield
    except Exception as error:
        if type(error).__module__.partition(".")[0] != "psycopg":
            raise
        raise _ours(error, where) from error


def is_passing(error: ConflictError) -> bool:
    """Tell whether the same may well succeed a moment later."""
    return error.code == "state-unreachable"


def _ours(error: Exception, where: str) -> ConflictError:
    from psycopg import errors

    said = str(error).strip().splitlines() or [type(error).__name__]
    text = said[-1].strip()
    match error:
        case errors.InsufficientPrivilege() | errors.ReadOnlySqlTransaction():
            return ConflictError(f"the state in {where} is denied: {text}", code="state-denied", hint=_RIGHTS)
        case errors.Error(sqlstate=str(state)) if state.startswith(_MISSHAPEN):
            message = f"the tables of the state in {where} are not as anabranch made them: {said[0]}"
            return ConflictError(message, code="state-unreadable", hint=_AWAY)
        case errors.QueryCanceled() | errors.LockNotAvailable():
            message, hint = f"the state in {where} is busy: {text}", "try again in a moment"
            return ConflictError(message, code="state-busy", hint=hint)
        case _ if any(part in str(error) for part in _DENIED):
            return ConflictError(f"the state in {where} is denied: {text}", code="state-denied", hint=_RIGHTS)
        case _ if "does not exist" in str(error):
            hint = "make the database, or name another: state: postgresql://host/DATABASE"
            return ConflictError(f"the state in {where} cannot be used: {text}", code="no-state-database", hint=hint)
        case errors.ProgrammingError():
            message = f"the address of the state in {where} is wrong: {text}"
            return ConflictError(message, code="bad-state", hint=EXAMPLE)
        case _:
            hint = "look at the network, the host and the port; what was done is recorded, or found again"
            message = f"the state in {where} cannot be reached: {text}"
            return ConflictError(message, code="state-unreachable", hint=hint)
