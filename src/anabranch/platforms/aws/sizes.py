"""What AWS would refuse in the middle of an apply because it is too large: refused before anything is made."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

from anabranch.model.errors import Diagnostic
from anabranch.platforms.aws.kinds.form import canonical, mark_of
from anabranch.platforms.aws.kinds.tags import MOST, VALUE, WANTED, wanted_tags

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anabranch.model.environment import Environment
    from anabranch.model.pipeline import Pipeline, Step
    from anabranch.model.resource import Owner
    from anabranch.platforms.aws.policies import Document
    from anabranch.ports import Built

ROLE = 10_240
"""Characters of the inline policies of a role, together.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""
SESSION = 2048
"""Characters of a session policy.

Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
"""
CODE = 262_144_000
"""Bytes of a function's code, unpacked. Source: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
DESCRIPTION = 256
"""Characters of a function's description, which says whose it is.

Source: https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html
"""
_MB = 1_000_000


def size_of(policy: Document) -> int:
    """Return how much of a role's room a policy takes."""
    return len(canonical(policy))


def rights(step: Step, policy: Document) -> Iterator[Diagnostic]:
    """Refuse a step that touches so much that no role can say it."""
    if (size := size_of(policy)) > ROLE:
        many = len(step.reads) + len(step.outputs)
        message = f"step `{step.id}` has {many} ports, and its role would have {size:,} characters of rights"
        hint = f"AWS takes {ROLE:,}: let steps before it join some of what it reads"
        yield Diagnostic("limit", message, hint, step.place)


def started(pipeline: Pipeline, policy: Document) -> Iterator[Diagnostic]:
    """Refuse a pipeline that starts so many jobs that the role of its state machine cannot say them."""
    if (size := size_of(policy)) > ROLE:
        message = f"pipeline `{pipeline.name}` starts so much that its role would have {size:,} characters of rights"
        hint = f"AWS takes {ROLE:,}: two pipelines, or fewer jobs that exist, of which each is named"
        yield Diagnostic("limit", message, hint, pipeline.place)


def narrow(pipeline: Pipeline, policy: str) -> Iterator[Diagnostic]:
    """Refuse a branch whose steps ask for so many actions that no session policy can say them."""
    if (size := len(policy)) > SESSION:
        message = f"the calls of a branch of `{pipeline.name}` would be narrowed by {size:,} characters"
        hint = f"AWS takes {SESSION:,}: ask for fewer permissions, or for several as one: dynamodb:Get*"
        yield Diagnostic("limit", message, hint, pipeline.place)


def names(owner: Owner, environment: Environment) -> Iterator[Diagnostic]:
    """Refuse names and tags of which AWS could not be told whose something is."""
    if (size := len(mark_of(owner))) > DESCRIPTION:
        message = f"project, environment and branch are {size - DESCRIPTION} characters too long together"
        hint = f"AWS keeps {DESCRIPTION} characters of what says whose a function is: shorter names"
        yield Diagnostic("limit", message, hint, environment.place)
    tags = wanted_tags(owner, dict(environment.tags))
    if len(tags) > MOST or len(tags.get(WANTED, "")) > VALUE:
        message = f"environment `{environment.name}` has {len(environment.tags)} tags"
        hint = f"{MOST - 4} at most, whose names are {VALUE} characters together"
        yield Diagnostic("limit", message, hint, environment.place)


def code(built: Built, environment: Environment, scratch: int) -> Iterator[Diagnostic]:
    """Refuse code that no function can hold, and packages that its disk cannot.

    Args:
        built: the project's code, and what its steps need.
        environment: where it is deployed.
        scratch: MB of a function's disk.
    """
    if (size := _unpacked(built.payload)) > CODE:
        message = f"the project's files are {size // _MB:,} MB, and a Lambda function holds {CODE // _MB} MB of code"
        hint = "keep data out of the project (.gitignore), or run on glue: engines: {python: glue}"
        yield Diagnostic("limit", message, hint, environment.place)
    for wanted, content in sorted(built.packages.items()):
        if (size := _unpacked(content)) > scratch * 1024 * 1024:
            what = ", ".join(wanted) or "steps without requirements"
            message = f"the packages of {what} are {size // _MB:,} MB, and a function's disk has {scratch:,} MB"
            yield Diagnostic("limit", message, "aws: {scratch: 10240}, or fewer packages", environment.place)


def _unpacked(content: bytes) -> int:
    if not content.startswith(b"PK"):
        return len(content)
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        return sum(entry.file_size for entry in file.infolist())
