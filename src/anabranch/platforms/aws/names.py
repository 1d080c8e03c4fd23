"""What resources are called on AWS: always the same, within each limit, and never what another project's are called."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anabranch.model.environment import Aws
    from anabranch.model.pipeline import StepId
    from anabranch.model.resource import Owner

FUNCTION = ROLE = SCHEDULE = 64
"""Characters of the name of a function, a role, a schedule or a rule.

Source: https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html,
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html,
https://docs.aws.amazon.com/scheduler/latest/APIReference/API_CreateSchedule.html,
https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html
"""
MACHINE = STATE = EXECUTION = 80
"""Characters of the name of a state machine, of one of its states, or of one of its executions.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
"""
STEPS_FAILED = "StepsFailed"
"""The error of an execution that did all that it could; its cause says why, by step, or by part."""
_HASH = 10
RETRY = ".retry"
"""What the name of an execution has before its count that goes on where another ended."""


def name_of(owner: Owner, *parts: str, longest: int = FUNCTION) -> str:
    """Return a resource's name: whose it is, then what it is.

    >>> from anabranch.model.resource import Owner
    >>> name_of(Owner("flights", "prod"), "daily", "clean")
    'flights--prod--daily--clean'
    """
    whole = [owner.project, owner.environment, *([] if owner.namespace == "main" else [owner.namespace]), *parts]
    name = "--".join(_safe(part) for part in whole)
    return name if len(name) <= longest else f"{name[: longest - _HASH - 1]}-{_hash(name)}"


def prefix_of(owner: Owner) -> str:
    """Return what every name of an owner's starts with; those of others may start so, too.

    >>> from anabranch.model.resource import Owner
    >>> prefix_of(Owner("flights", "prod"))
    'flights--prod--'
    """
    whole = [owner.project, owner.environment, *([] if owner.namespace == "main" else [owner.namespace]), ""]
    return "--".join(_safe(part) for part in whole)[: FUNCTION - _HASH - 1]


def path_of(owner: Owner) -> str:
    """Return the folder that marks what is whose, of roles and log groups.

    >>> from anabranch.model.resource import Owner
    >>> path_of(Owner("flights", "prod"))
    '/anabranch/flights/prod/main/'
    """
    return f"/anabranch/{_safe(owner.project)}/{_safe(owner.environment)}/{_safe(owner.namespace)}/"


def state_of(step: StepId) -> str:
    """Return the state that runs a step; others of the step have a suffix.

    >>> from anabranch.model.pipeline import StepId
    >>> state_of(StepId("inner/clean"))
    'inner/clean'
    """
    room = STATE - len("( and more): beside")
    return step if len(step) <= room else f"{step[: room - _HASH - 1]}-{_hash(step)}"


def part_of(part: int) -> str:
    """Return the state that runs a part of a machine: no step's name has brackets.

    >>> is_part(part_of(3))
    True
    """
    return f"(part {part})"


def is_part(state: str) -> bool:
    """Return whether a state runs a part of a machine."""
    return state.startswith("(part ")


def execution_of(run: str, again: int = 0, part: int = 0) -> str:
    """Return the execution of a run, of its retry of that number, or of a part of either.

    >>> execution_of("20260101-abcd", 2, 1)
    '20260101-abcd.retry2.part1'
    """
    tail = (f"{RETRY}{again}" if again else "") + (f".part{part}" if part else "")
    room = EXECUTION - len(tail)
    return f"{run if len(run) <= room else f'{run[: room - _HASH - 1]}-{_hash(run)}'}{tail}"


def execution_expression(part: int) -> str:
    """Return what `execution_of` a part is, as a state machine tells by itself."""
    return (
        f"( $tail := ($given.again > 0 ? '{RETRY}' & $given.again : '') & '.part{part}';"
        f" $room := {EXECUTION} - $length($tail);"
        f" $hashed := '-' & $substring($hash($given.run, 'SHA-256'), 0, {_HASH});"
        f" ($length($given.run) > $room ? $substring($given.run, 0, $room - {_HASH + 1}) & $hashed : $given.run)"
        " & $tail )"
    )


def _safe(part: str) -> str:
    """Return a part of a name without what names are joined by, and never that of another part."""
    safe = re.sub(r"[^A-Za-z0-9_-]", "-", part)
    return part if safe == part and "--" not in part and part.strip("-") == part else f"{_tame(safe)}-{_hash(part)}"


def _tame(text: str) -> str:
    return re.sub(r"-{2,}", "-", text).strip("-")


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_HASH]


@dataclass(frozen=True, slots=True)
class Arns:
    """The full names of resources of one account, without asking for them."""

    account: str
    region: str

    @classmethod
    def of(cls, aws: Aws) -> Arns:
        """Return those of an environment."""
        return cls(aws.account, aws.region)

    @property
    def partition(self) -> str:
        """Of the region: `aws`, or one of the separate ones."""
        return "aws-cn" if self.region.startswith("cn-") else "aws-us-gov" if "-gov-" in self.region else "aws"

    def _in(self, service: str, what: str) -> str:
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{what}"

    def integration(self, call: str) -> str:
        """Of what Step Functions do with another service: `service:operation`."""
        return f"arn:{self.partition}:states:::{call}"

    def short(self, name: str) -> str:
        """Return the name of what is told in full and is in this account and region; any other name as it is.

        >>> arns = Arns("123456789012", "eu-west-1")
        >>> arns.short("arn:aws:states:eu-west-1:123456789012:stateMachine:theirs"), arns.short("theirs")
        ('theirs', 'theirs')
        >>> arns.short("arn:aws:lambda:eu-west-1:999999999999:function:f")
        'arn:aws:lambda:eu-west-1:999999999999:function:f'
        """
        kinds = (self.function(""), self.machine(""))
        return next((name.removeprefix(kind) for kind in kinds if name.startswith(kind)), name)

    def function(self, name: str) -> str:
        """Of a Lambda function, which may be told in full already."""
        return name if name.startswith("arn:") else self._in("lambda", f"function:{name}")

    def job(self, name: str) -> str:
        """Of a Glue job."""
        return self._in("glue", f"job/{name}")

    def batch(self, name: str) -> str:
        """Of a definition of a Batch job; of one revision of it, where the name has that."""
        return self._in("batch", f"job-definition/{name}")

    def full(self, what: str) -> str:
        """Of `service:resource`."""
        service, _, resource = what.partition(":")
        return self._in(service, resource)

    def machine(self, name: str) -> str:
        """Of a state machine, which may be told in full already."""
        return name if name.startswith("arn:") else self._in("states", f"stateMachine:{name}")

    def execution(self, machine: str, name: str) -> str:
        """Of an execution of a state machine."""
        return self._in("states", f"execution:{machine}:{name}")

    def logs(self, name: str) -> str:
        """Of a log group."""
        return self._in("logs", f"log-group:{name}")

    def role(self, owner: Owner, name: str) -> str:
        """Of a role of ours."""
        return f"arn:{self.partition}:iam::{self.account}:role{path_of(owner)}{name}"

    def sessions(self, role: str) -> str:
        """Of whoever has taken a role: emulators of AWS name the session where AWS names the role."""
        return f"arn:{self.partition}:sts::{self.account}:assumed-role/{role.rpartition('/')[2]}/*"

    def root(self) -> str:
        """Of the account itself."""
        return f"arn:{self.partition}:iam::{self.account}:root"

    def objects(self, url: str, *below: str) -> list[str]:
        """Return what a policy names for keys below `s3://bucket/prefix`; all below it, by default."""
        place = url.removeprefix("s3://").rstrip("/")
        return [f"arn:{self.partition}:s3:::{place}/{each}" for each in below or ("*",)]

    def object(self, url: str) -> str:
        """Of one object."""
        return f"arn:{self.partition}:s3:::{url.removeprefix('s3://')}"

    def bucket(self, url: str) -> str:
        """Of the bucket of `s3://bucket/prefix`."""
        return f"arn:{self.partition}:s3:::{url.removeprefix('s3://').partition('/')[0]}"
