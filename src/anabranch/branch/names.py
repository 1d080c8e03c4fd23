"""Names of branches, and the parts of paths that they become."""

from __future__ import annotations

import hashlib
import re

from anabranch.model.branch import MAIN
from anabranch.model.errors import UsageError

LONGEST = 250
"""Characters of a name; git allows about as many."""

_READABLE = 40
_HASH = 10


def slug(name: str) -> str:
    """Return the part of a path that stands for a name: what is readable of it, and a hash that no other name has.

    >>> slug("fix/Delays")
    'fix-delays-bfd83d4eba'

    Raises:
        UsageError: `bad-name`.
    """
    if problem := _problem(name):
        raise UsageError(f"a branch cannot be called {name[:60]!r}: {problem}", code="bad-name", hint="choose another")
    readable = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:_READABLE].strip("-")
    digest = hashlib.sha256(name.encode()).hexdigest()[:_HASH]
    return f"{readable}-{digest}" if readable else digest


def _problem(name: str) -> str:
    if not name.strip():
        return "it is empty"
    if name == MAIN:
        return "main is what branches leave"
    if len(name) > LONGEST:
        return f"it has {len(name)} characters, and {LONGEST} are allowed"
    if name.startswith("-"):
        return "it begins like an option"
    if any(not char.isprintable() for char in name) or name != name.strip():
        return "it has characters that cannot be seen"
    return ""
