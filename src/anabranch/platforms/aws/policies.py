"""Least privilege, from the ports: what each role may do, as IAM documents.

A step may read its inputs and write its outputs, in main's storage or in a branch's, and what we keep beside them.
In a branch, each call is narrowed once more, by a session policy, to the branch's root.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from fnmatch import fnmatchcase
from os.path import commonprefix
from typing import TYPE_CHECKING, Any, TypeAlias

from anabranch.model.access import DONE
from anabranch.platforms.aws.invoke import functions_in, jobs_in, natives_in
from anabranch.platforms.aws.native import NATIVE, NEEDED, PLAIN
from anabranch.platforms.aws.secrets import readable

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from anabranch.model.access import Access
    from anabranch.model.pipeline import Needs, Step
    from anabranch.platforms.aws.invoke import Invocation
    from anabranch.platforms.aws.names import Arns

Document: TypeAlias = dict[str, Any]
"""An IAM policy document."""

READ = ["s3:GetObject"]
WRITE = ["s3:PutObject", "s3:DeleteObject"]
OF_FUNCTIONS, OF_JOBS, OF_MACHINES = 3500, 2500, 1000
"""Characters of a role's policy, of 10,240, in which all that a state machine calls is named.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""
IN_BRANCH = [
    "s3:GetObject",
    "s3:ListBucket",
    "secretsmanager:GetSecretValue",
    "ssm:GetParameter",
    "kms:Decrypt",
    "kms:GenerateDataKey",
]
"""What changes nothing, of what steps need to run: a branch may do it wherever the step may."""
_READS = ("BatchGet", "Describe", "Get", "List", "Query", "Scan")
"""How the names of actions begin that read."""
_WIDENING = [
    "lakeformation:GetDataAccess",
    "redshift-serverless:GetCredentials",
    "redshift:GetClusterCredentials*",
    "s3:GetDataAccess",
    "sts:Get*Token",
]
"""What gives credentials that are narrowed no more, though it is called as what reads."""


def assumed_by(service: str, arns: Arns, itself: str = "") -> Document:
    """Return a trust policy: a service may take the role, and the role itself may, to narrow itself.

    Args:
        service: such as `lambda.amazonaws.com`.
        arns: of the account.
        itself: the role's own name in full; empty where it never narrows itself.
    """
    statements: list[Document] = [
        {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"},
    ]
    if itself:  # a role that does not exist yet cannot be named as a principal
        only = {"ArnLike": {"aws:PrincipalArn": [itself, arns.sessions(itself)]}}
        principal = {"AWS": arns.root()}
        statements.append({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", "Condition": only})
    return _document(statements)


def for_step(access: Access, needs: Needs, arns: Arns, places: Places, itself: str) -> Document:
    """Return what a step's function may do.

    Args:
        access: what it may touch in storage.
        needs: the secrets that it reads, and IAM actions that it asks for besides.
        arns: of the account.
        places: where its data, its artifacts and its logs lie.
        itself: its role's own name in full.
    """
    bucket, prefix = _split(places.storage)
    below = f"{prefix}/" if prefix else ""
    # Without the right to list, S3 says that what is missing is denied: with no prefix asked, it must hold too.
    # Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
    listed = {"StringLikeIfExists": {"s3:prefix": [f"{below}{each}" for each in (*access.reads, *access.writes)]}}
    statements: list[Document] = [
        _allow(READ, arns.objects(places.storage, *access.reads)),
        _allow([*READ, *WRITE], arns.objects(places.storage, *access.writes)),
        {**_allow(["s3:ListBucket"], [arns.bucket(bucket)]), "Condition": listed},
        _allow(READ, arns.objects(places.artifacts)),
        _allow(["logs:CreateLogStream", "logs:PutLogEvents"], [arns.logs(places.logs), f"{arns.logs(places.logs)}:*"]),
        _allow(["sts:AssumeRole"], [itself]),
    ]
    statements += [_allow([action], [what]) for action, what in readable([each for _, each in needs.secrets], arns)]
    if needs.permissions:
        statements.append(_allow(sorted(needs.permissions), ["*"]))
    return _document(statements)


def with_glue(policy: Document, arns: Arns, interpreter: str) -> Document:
    """Return a step's policy as a Glue job needs it: Glue writes what it says itself into groups of its own.

    Source: https://docs.aws.amazon.com/glue/latest/dg/create-an-iam-role.html
    """
    groups = ["/aws-glue/python-jobs/*", "/aws-glue/jobs/*"]
    log = _allow(
        ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"], [f"{arns.logs(each)}" for each in groups]
    )
    fetch = [_allow(READ, [arns.object(interpreter)])] if interpreter else []
    return _document([*policy["Statement"], log, *fetch])


@dataclass(frozen=True, slots=True)
class Places:
    """Where a deployment's things lie: data and artifacts as `s3://` URLs, logs as the name of a log group."""

    storage: str
    artifacts: str
    logs: str


def _split(url: str) -> tuple[str, str]:
    bucket, _, prefix = url.removeprefix("s3://").rstrip("/").partition("/")
    return f"s3://{bucket}", prefix


def reads_only(permission: str) -> bool:
    """Tell whether an IAM action that a step asks for changes nothing, so that it may do it in a branch, too.

    >>> [reads_only(each) for each in ("dynamodb:Query", "dynamodb:Get*", "kms:GenerateDataKey")]
    [True, True, True]
    >>> [reads_only(each) for each in ("dynamodb:PutItem", "dynamodb:*", "sts:GetSessionToken")]
    [False, False, False]
    """
    wanted, (_, _, verb) = permission.lower(), permission.lower().partition(":")
    if any(fnmatchcase(wanted, each.lower()) for each in _WIDENING):
        return False
    return verb.startswith(tuple(map(str.lower, _READS))) or wanted in map(str.lower, IN_BRANCH)


def for_branch(root: str, arns: Arns, steps: Iterable[Step]) -> str:
    """Return the session policy of a branch's calls: of all that a role may do, it reads, and writes below this root.

    Args:
        root: `s3://bucket/.../_branches/NAME/`, as workers see it.
        arns: of the account.
        steps: of the branch: of the actions that they ask for, those that change something are left out.

    Returns:
        A document as text; the platform takes 2,048 characters.
    """
    asked = {each for step in steps for each in step.needs.permissions}
    reads = sorted(each for each in asked - set(IN_BRANCH) if reads_only(each))
    statements = [_allow([*IN_BRANCH, *reads], ["*"]), _allow(WRITE, arns.objects(root))]
    statements += [{**_allow(_WIDENING, ["*"]), "Effect": "Deny"}] if reads else []
    return json.dumps(_document(statements), separators=(",", ":"))


def for_job_in_branch(root: str, arns: Arns, steps: Iterable[Step]) -> str:
    """Return the session policy of a branch's call of a Glue job: it writes below the branch's root, and its log.

    Which log is the role's to say. Source: https://docs.aws.amazon.com/glue/latest/dg/dynamically-scoped-policies.html
    """
    told = json.loads(for_branch(root, arns, steps))
    log = _allow(["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"], ["*"])
    return json.dumps(_document([*told["Statement"], log]), separators=(",", ":"))


def for_machine(calls: Sequence[Invocation], itself: str, machines: Sequence[str], arns: Arns, root: str) -> Document:
    """Return what a state machine may do: call what runs its steps, see its own executions, start its inner machines.

    Args:
        calls: what runs its steps.
        itself: the one that is started, in full.
        machines: the inner ones, in full.
        arns: of the account.
        root: of the namespace's datasets, where jobs say that they ended well.

    Source: https://docs.aws.amazon.com/step-functions/latest/dg/stepfunctions-iam.html
    """
    functions, jobs = gathered(functions_in(calls), OF_FUNCTIONS), gathered(jobs_in(calls), OF_JOBS)
    machines = gathered(machines, OF_MACHINES)
    statements = [_allow(["lambda:InvokeFunction"], functions)] if functions else []
    statements.append(_allow(["states:ListExecutions"], [itself]))
    if jobs:
        bucket, prefix = _split(root)
        said = f"{prefix}/{DONE}/*" if prefix else f"{DONE}/*"
        statements += [
            _allow(["glue:StartJobRun", "glue:GetJobRun", "glue:GetJobRuns", "glue:BatchStopJobRun"], jobs),
            {**_allow(["s3:ListBucket"], [arns.bucket(bucket)]), "Condition": {"StringLike": {"s3:prefix": [said]}}},
        ]
    for native in natives_in(calls):
        cell = NATIVE[native.platform]
        statements.append(_allow(cell.actions, [cell.arn(arns, native.job)]))
        told, plain = dict(native.arguments), set(PLAIN) & set(NEEDED.get(native.platform, ()))
        names = {"job": native.job, **{name: json.loads(told[name]) for name in plain}}
        for action, where in cell.watched:
            what = where.format_map(names)
            statements.append(_allow([action], [what if what.startswith(("*", "arn:")) else arns.full(what)]))
    if machines:
        inner = [each.replace(":stateMachine:", ":execution:") + ":*" for each in machines]
        rule = f"arn:{arns.partition}:events:{arns.region}:{arns.account}:rule/"
        watched = [f"{rule}StepFunctionsGetEventsForStepFunctionsExecutionRule"]
        statements += [
            _allow(["states:StartExecution"], sorted(machines)),
            _allow(["states:DescribeExecution", "states:StopExecution"], sorted(inner)),
            _allow(["events:PutTargets", "events:PutRule", "events:DescribeRule"], watched),
        ]
    return _document(_merged(statements))


def _merged(statements: Sequence[Document]) -> list[Document]:
    """Return statements that say the same in fewer words: each action once, and together those of the same resources.

    >>> _merged([_allow(["a:Do", "a:See"], ["x"]), _allow(["a:Do", "a:See"], ["y"]), _allow(["a:See"], ["x"])])
    [{'Effect': 'Allow', 'Action': ['a:Do', 'a:See'], 'Resource': ['x', 'y']}]
    """
    held: dict[str, set[str]] = {}
    alike: dict[tuple[str, ...], list[str]] = {}
    for each in statements:
        if "Condition" not in each:
            for action in each["Action"]:
                held.setdefault(action, set()).update(each["Resource"])
    for action, resources in sorted(held.items()):
        alike.setdefault(tuple(sorted(resources)), []).append(action)
    merged = [_allow(actions, resources) for resources, actions in alike.items()]
    return [*merged, *(each for each in statements if "Condition" in each)]


def gathered(names: Sequence[str], room: int) -> list[str]:
    """Return names as a policy has room for them: each, or, of one pipeline's many, what they begin with.

    Args:
        names: in full.
        room: characters that they may take.

    >>> gathered(["shop--daily--clean", "shop--daily--copy"], 100)
    ['shop--daily--clean', 'shop--daily--copy']
    >>> gathered(["shop--daily--clean", "shop--daily--copy"], 20)
    ['shop--daily--c*']
    """
    if sum(len(name) + 3 for name in names) <= room:
        return sorted(names)
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(name.rpartition("--")[0], []).append(name)
    common = (those[0] if len(those) == 1 else f"{commonprefix(those)}*" for those in groups.values())  # noqa: RUF071 - characters are meant
    return sorted(common)


def for_trigger(machine: str) -> Document:
    """Return what a schedule or a rule may do: start its pipeline."""
    return _document([_allow(["states:StartExecution"], [machine])])


def _allow(actions: Sequence[str], resources: Sequence[str]) -> Document:
    return {"Effect": "Allow", "Action": list(actions), "Resource": list(resources)}


def _document(statements: Sequence[Document]) -> Document:
    return {"Version": "2012-10-17", "Statement": list(statements)}
