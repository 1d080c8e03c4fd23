"""Every error anabranch raises on purpose, as one tree; the class gives the exit code.

    AnabranchError                1   something is wrong with anabranch itself or the machine
    ├── UsageError                2   a wrong option, selection or argument
    ├── InvalidProject            3   project, spec or pipeline is invalid; carries diagnostics
    ├── StepError                 4   a step failed
    ├── ContractError             5   a step's output breaks its dataset's contract
    ├── ConflictError             7   a lock or a state stands in the way
    └── NotFoundError             8   no run, step, dataset or file of that name

Every error has a message (what), a stable `code`, a `hint` (one thing to try) and, where there is one, a `place`.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from anabranch.model.place import Place
    from anabranch.model.run import SubStep


class AnabranchError(Exception):
    """The root of the tree: an internal error unless a subclass says otherwise."""

    exit_code: ClassVar[int] = 1
    default_code: ClassVar[str] = "internal"

    def __init__(self, message: str, *, code: str = "", hint: str = "", place: Place | None = None) -> None:
        """Keep what was said; `code` falls back to the class's own."""
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.hint = hint
        self.place = place
        self.parts: tuple[SubStep, ...] = ()
        """Of a step that reports parts, such as dbt models: how each ended."""


class UsageError(AnabranchError):
    """A wrong option, selection or argument (exit 2)."""

    exit_code = 2
    default_code = "usage"


class InvalidProject(AnabranchError):
    """The project cannot be used as it stands (exit 3). Readers collect every diagnostic, then raise once."""

    exit_code = 3
    default_code = "invalid-project"

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        """Raise with at least one diagnostic."""
        self.diagnostics: tuple[Diagnostic, ...] = tuple(diagnostics)
        first = self.diagnostics[0]
        more = len(self.diagnostics) - 1
        text = first.message + (f" (and {more} more)" if more else "")
        super().__init__(text, code=first.code, hint=first.hint, place=first.place)


class StepError(AnabranchError):
    """A step failed (exit 4)."""

    exit_code = 4
    default_code = "step-failed"


class ContractError(AnabranchError):
    """A step's output breaks its dataset's contract; nothing was published (exit 5)."""

    exit_code = 5
    default_code = "contract-broken"


class ConflictError(AnabranchError):
    """Another process, or a newer version, holds what is needed (exit 7)."""

    exit_code = 7
    default_code = "conflict"


class NotFoundError(AnabranchError):
    """Nothing of that name (exit 8)."""

    exit_code = 8
    default_code = "not-found"


class Severity(StrEnum):
    """How bad a diagnostic is: an error stops the verb, a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding about a project: where, what, and one thing to try."""

    code: str
    message: str
    hint: str = ""
    place: Place | None = None
    severity: Severity = Severity.ERROR


_SHOWN = 8


def closest(name: str, known: Iterable[str]) -> str:
    """Return a hint that names the known name closest to `name`, or lists the known ones.

    >>> closest("flihgts", ["flights", "weather"])
    "did you mean 'flights'?"
    >>> closest("x", ["flights", "weather"])
    'known: flights, weather'
    """
    names = sorted(set(known))
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.6)
    if near:
        return f"did you mean '{near[0]}'?"
    if not names:
        return "none is defined"
    shown = ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
    return f"known: {shown}"
