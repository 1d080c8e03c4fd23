"""Secrets that AWS keeps: read where they are used, with the rights of whoever uses them.

`secret://secretsmanager/prod/db` is a secret of Secrets Manager, and `secret://secretsmanager/prod/db#password` one
field of it, where it is JSON. `secret://ssm/token` is a parameter of Systems Manager; `secret://ssm//prod/token`, with
two slashes, one in a folder. A process asks for each once.
"""

from __future__ import annotations

import json
import os
from functools import cache
from typing import TYPE_CHECKING, Any

from anabranch.model.environment import Aws
from anabranch.model.errors import NotFoundError, StepError
from anabranch.platforms.aws.client import AwsClient

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from anabranch.platforms.aws.names import Arns

MANAGER, STORE = "secretsmanager", "ssm"
"""The providers."""

HERE = ("env", "file")
"""Providers that read what only a machine of yours has."""


@cache
def from_manager(name: str) -> str | None:
    """Return a secret of Secrets Manager, or a field of one; None where there is none.

    Raises:
        StepError: `bad-secret`, it has no such field.
        ConflictError: as of `AwsClient.ask`.
    """
    secret, _, field = name.partition("#")
    try:
        found = _client().ask(MANAGER, "get_secret_value", SecretId=secret)
    except NotFoundError:
        return None
    text = str(found["SecretString"]) if "SecretString" in found else bytes(found["SecretBinary"]).decode()
    if not field:
        return text
    try:
        told: Any = json.loads(text)
    except ValueError:
        told = None
    if not isinstance(told, dict) or field not in told:  # what it holds instead is not shown
        message = f"the secret {secret} has no field `{field}`"
        raise StepError(message, code="bad-secret", hint="name one of its keys, or leave the field out")
    value: Any = told[field]
    return value if isinstance(value, str) else json.dumps(value)


@cache
def from_store(name: str) -> str | None:
    """Return a parameter of Systems Manager; None where there is none; raises as `from_manager`."""
    try:
        return str(_client().ask(STORE, "get_parameter", Name=name, WithDecryption=True)["Parameter"]["Value"])
    except NotFoundError:
        return None


def _client() -> AwsClient:
    return AwsClient(Aws("", os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or ""))


def split(reference: str) -> tuple[str, str]:
    """Return the provider of a reference, and the secret's name there, without the field.

    >>> split("secret://secretsmanager/prod/db#password")
    ('secretsmanager', 'prod/db')
    """
    provider, _, name = reference.removeprefix("secret://").partition("/")
    return provider, name.partition("#")[0] if provider == MANAGER else name


def readable(references: Iterable[str], arns: Arns) -> Iterator[tuple[str, str]]:
    """Yield the action that reads each secret of AWS, and what it reads, in full.

    AWS adds six characters to a secret's name.
    Source: https://docs.aws.amazon.com/secretsmanager/latest/userguide/auth-and-access_iam-policies.html
    """
    for provider, name in sorted({split(each) for each in references}):
        if provider == MANAGER:
            yield "secretsmanager:GetSecretValue", arns.full(f"secretsmanager:secret:{name}-??????")
        elif provider == STORE:
            yield "ssm:GetParameter", arns.full(f"ssm:parameter/{name.lstrip('/')}")
