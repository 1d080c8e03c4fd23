"""Lambda functions: the description says whose they are, and the digest of the code is AWS's own."""

from __future__ import annotations

import base64
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from anabranch.model.errors import ConflictError, NotFoundError, StepError
from anabranch.platforms.aws.kinds.form import form_of, live_of, mark_of, owner_in
from anabranch.platforms.aws.kinds.patience import NEW_ROLE, PATIENCE, patiently

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from anabranch.model.resource import Live, Owner, Resource
    from anabranch.platforms.aws.client import AwsClient
    from anabranch.platforms.aws.kinds.form import Found

HANDLER = "lambda_function.handle"
PAYLOAD = "ANABRANCH_PAYLOAD"
"""The variable that says where a function's code came from."""


def function_form(  # noqa: PLR0913 - what a function is
    owner: Owner,
    digest: str,
    *,
    role: str,
    runtime: str,
    logs: str,
    variables: Mapping[str, str],
    sizes: tuple[int, int, int],
) -> dict[str, Any]:
    """Return a function's form.

    Args:
        owner: whose it is.
        digest: of its zip, as `sha256:...`.
        role: in full.
        runtime: such as `python3.12`.
        logs: the log group's name.
        variables: of its environment.
        sizes: memory and scratch in MB, and its time limit in seconds.
    """
    memory, scratch, timeout = sizes
    return {
        "code": base64.b64encode(bytes.fromhex(digest.removeprefix("sha256:"))).decode(),
        "role": role,
        "runtime": runtime,
        "handler": HANDLER,
        "logs": logs,
        "variables": dict(variables),
        "memory": memory,
        "scratch": scratch,
        "timeout": timeout,
        "description": mark_of(owner),
    }


class Functions:
    """The functions of an account."""

    def live(self, client: AwsClient, owner: Owner, names: Collection[str]) -> Iterator[Found]:
        """Yield what is there, from a listing."""
        for found in client.pages("lambda", "list_functions", "Functions"):
            whose = owner_in(found.get("Description", ""))
            if whose == owner or found["FunctionName"] in names:
                form = {
                    "code": found["CodeSha256"],
                    "role": found["Role"],
                    "runtime": found.get("Runtime"),
                    "handler": found.get("Handler"),
                    "logs": found.get("LoggingConfig", {}).get("LogGroup"),
                    "variables": found.get("Environment", {}).get("Variables", {}),
                    "memory": found["MemorySize"],
                    "scratch": found.get("EphemeralStorage", {}).get("Size"),
                    "timeout": found["Timeout"],
                    "description": found.get("Description", ""),
                }
                yield live_of("function", found["FunctionName"], form, whose)

    def create(self, client: AwsClient, resource: Resource) -> None:
        """Make a function, once its role can be taken, and wait until it can be called."""
        form = form_of(resource)
        settings = {**_settings(resource), "Code": _code(form), "PackageType": "Zip", "Architectures": ["x86_64"]}
        patiently(lambda: client.ask("lambda", "create_function", **settings, Tags=form["tags"]), NEW_ROLE)
        _settled(client, resource.name)

    def update(self, client: AwsClient, resource: Resource) -> None:
        """Change a function's settings, then its code; cut off between, it is updated again."""
        code = {"FunctionName": resource.name, **_code(form_of(resource))}
        _quiet(client, resource.name)  # whatever failed before is mended by this
        for operation, told in (
            ("update_function_configuration", _settings(resource)),
            ("update_function_code", code),
        ):
            try:
                patiently(partial(client.ask, "lambda", operation, **told), NEW_ROLE)
            except ConflictError as error:  # a call whose answer was lost is under way: what it does is done again
                if error.code != "aws-busy":
                    raise
                _quiet(client, resource.name)
                client.ask("lambda", operation, **told)
            _settled(client, resource.name)

    def delete(self, client: AwsClient, live: Live) -> None:
        """Delete a function; what it runs ends by itself."""
        with suppress(NotFoundError):
            client.ask("lambda", "delete_function", FunctionName=live.name)


def _settings(resource: Resource) -> dict[str, Any]:
    form = form_of(resource)
    return {
        "FunctionName": resource.name,
        "Role": form["role"],
        "Runtime": form["runtime"],
        "Handler": form["handler"],
        "Description": form["description"],
        "Timeout": form["timeout"],
        "MemorySize": form["memory"],
        "EphemeralStorage": {"Size": form["scratch"]},
        "Environment": {"Variables": form["variables"]},
        "LoggingConfig": {"LogGroup": form["logs"]},
    }


def _code(form: Mapping[str, Any]) -> dict[str, str]:
    bucket, _, key = form["variables"][PAYLOAD].removeprefix("s3://").partition("/")
    return {"S3Bucket": bucket, "S3Key": key}


def _settled(client: AwsClient, name: str) -> None:
    """Wait until a change of a function is done.

    Raises:
        StepError: `aws-refused`, it cannot be made; as `_quiet`.
    """
    found = _quiet(client, name)
    if "Failed" in {found.get("State"), found.get("LastUpdateStatus")}:
        why = found.get("StateReason") or found.get("LastUpdateStatusReason") or "no reason given"
        raise StepError(f"AWS cannot make the function {name}: {why}", code="aws-refused", hint="apply again")


def _quiet(client: AwsClient, name: str) -> dict[str, Any]:
    """Return a function as it is once no change of it is under way, well or not.

    Raises:
        StepError: `aws-slow`.
    """
    deadline, pause = time.monotonic() + PATIENCE, 0.1
    while True:
        found = client.ask("lambda", "get_function_configuration", FunctionName=name)
        if not {found.get("State"), found.get("LastUpdateStatus")} & {"Pending", "InProgress"}:
            return found
        if time.monotonic() > deadline:
            raise StepError(f"AWS is still making the function {name}", code="aws-slow", hint="apply again")
        time.sleep(pause)
        pause = min(2.0, pause * 1.5)
