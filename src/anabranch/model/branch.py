"""Branches: a pipeline carved at some steps, in a storage of its own, beside main."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anabranch.model.pipeline import StepId
    from anabranch.model.run import RunId

MAIN = "main"
"""The namespace that is no branch."""

DAYS = 14.0
"""How long a branch lives after it was last used, unless its maker says otherwise."""


class BranchKind(StrEnum):
    """What a branch is for."""

    RESEARCH = "research"
    """To try a change: its code is the project's, as it is when the branch runs."""
    SERVING = "serving"
    """To keep: its code and the versions of its inputs are those of main when it was made."""
    E2E = "e2e"
    """To watch: it runs again, on main's newest inputs, after every successful run of main."""


class Role(StrEnum):
    """Why a step is in a branch, or is not though it would be."""

    CHOSEN = "chosen"
    CHANGED = "changed"
    DOWNSTREAM = "downstream"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why one step is in a branch; with the role `skipped`, why it is not run there."""

    step: StepId
    role: Role
    why: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pin:
    """The version of main's dataset that a branch reads. Without a version it floats: nothing can tell it apart.

    `base` marks what a step of the branch goes on from: its own earlier output in main.
    """

    dataset: str
    version: str = ""
    base: bool = False


@dataclass(frozen=True, slots=True)
class SampleRate:
    """How much of main's data a branch sees: a share in 0 to 1, or about so many rows of the largest sampled table."""

    share: float = 0.0
    rows: int = 0

    def __str__(self) -> str:
        """Show it as it is written on a command line.

        >>> str(SampleRate(0.05)), str(SampleRate(rows=1000))
        ('5%', 'rows=1000')
        """
        return f"rows={self.rows}" if self.rows else f"{self.share * 100:g}%"


@dataclass(frozen=True, slots=True)
class Sampled:
    """How one input is sampled, for people: `how` says by which key, or why it is whole."""

    dataset: str
    how: str


@dataclass(frozen=True, slots=True)
class Promotion:
    """What a promotion changed in main: each dataset's version before and after. `run` tells it in main's history.

    Written down before it begins; `done` once main's history has it too.
    """

    at: float
    run: RunId
    datasets: tuple[tuple[str, str, str], ...]
    done: bool = False
    undone: bool = False


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch as its record tells it.

    Attributes:
        name: as people write it.
        slug: part of paths: what is left of the name, and a hash that tells it from every other name.
        pipeline: what was carved.
        root: the storage root that is the branch's own; ends in `/`.
        storage: main's.
        kind: what it is for.
        at: the steps chosen by name; empty when they are found by what changed.
        reasons: each step of it, and why.
        skipped: steps left out by name.
        base: main's run that it was carved beside; None when main never ran.
        code: digest of the code that its last run, or `serving`, is of; empty before.
        sample: how much of the inputs it sees; None is all.
        sampled: how each input is sampled.
        pins: the versions of main's data that it reads, set by its first run.
        params: of its runs: main's, or those that were given.
        run: its newest run.
        controls: runs of main's code on its pins: `a`, then `b`.
        looked: digest of the outputs, main's and its own, that `deltas` last showed.
        created_at: Unix time in seconds.
        expires_at: when `gc` may collect it.
        ttl: seconds that a use adds to its life.
        git: the git branch that it follows; empty when none.
        promotion: the last one.
    """

    name: str
    slug: str
    pipeline: str
    root: str
    storage: str
    kind: BranchKind = BranchKind.RESEARCH
    at: tuple[StepId, ...] = ()
    reasons: tuple[Reason, ...] = ()
    base: RunId | None = None
    code: str = ""
    sample: SampleRate | None = None
    sampled: tuple[Sampled, ...] = ()
    pins: tuple[Pin, ...] = ()
    params: tuple[tuple[str, str], ...] = ()
    run: RunId | None = None
    controls: tuple[tuple[str, RunId], ...] = ()
    looked: str = ""
    created_at: float = 0.0
    expires_at: float = 0.0
    ttl: float = DAYS * 86400
    git: str = ""
    skipped: tuple[StepId, ...] = ()
    dropping: bool = False
    promotion: Promotion | None = None

    @property
    def steps(self) -> tuple[StepId, ...]:
        """The steps that run in it."""
        return tuple(reason.step for reason in self.reasons if reason.role is not Role.SKIPPED)
