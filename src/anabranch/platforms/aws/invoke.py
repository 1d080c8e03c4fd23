"""What a state machine is asked to call for a step: data, made by the engines, which `tasks` turns into states."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from anabranch.platforms.aws.native import asked, narrowed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from anabranch.platforms.aws.names import Arns


@dataclass(frozen=True, slots=True)
class Function:
    """A Lambda function, in full, that runs a step of ours and returns whether it is good."""

    arn: str


@dataclass(frozen=True, slots=True)
class Job:
    """A Glue job, in full, that runs a step of ours, and leaves an object where it ended well.

    `done` is the key of that object below the root of the storage, without the run and the number of its retry.
    `policy` narrows the call; it is empty for main.
    """

    arn: str
    done: str
    policy: str = ""

    @property
    def name(self) -> str:
        """The job, as Glue calls it."""
        return self.arn.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Native:
    """A job that exists already, started as a platform's row in `NATIVE` says.

    Attributes:
        platform: one of `NATIVE`.
        job: as it is called there.
        arguments: expressions, each with its name.
        policy: narrows the call; empty for main.
    """

    platform: str
    job: str
    arguments: tuple[tuple[str, str], ...] = ()
    policy: str = ""

    def told(self, arns: Arns) -> dict[str, Any]:
        """Return what the integration is told."""
        told = asked(self.platform, self.job, self.arguments, arns)
        return {**told, **narrowed(self.platform, self.policy)}


Invocation: TypeAlias = Function | Job | Native
"""A closed union: end each `match` on it with `assert_never`."""


def invocation(arn: str, done: str, policy: str = "") -> Invocation:
    """Return how something is called, by its full name; `policy` narrows the calls of jobs.

    >>> invocation("arn:aws:glue:eu-west-1:123456789012:job/clean", "d").name
    'clean'
    """
    return Job(arn, done, policy) if ":glue:" in arn else Function(arn)


def functions_in(calls: Iterable[Invocation]) -> Sequence[str]:
    """Return the functions that are called, in full."""
    return sorted({each.arn for each in calls if isinstance(each, Function)})


def jobs_in(calls: Iterable[Invocation]) -> Sequence[str]:
    """Return the Glue jobs that are called, in full."""
    return sorted({each.arn for each in calls if isinstance(each, Job)})


def natives_in(calls: Iterable[Invocation]) -> Sequence[Native]:
    """Return the jobs that are started and exist already."""
    return [each for each in calls if isinstance(each, Native)]
