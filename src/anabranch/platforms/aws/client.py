"""Calls to AWS: each with a time limit and bounded, jittered retries; what it denies or refuses is told as ours."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeVar

from anabranch.model.errors import ConflictError, NotFoundError, StepError

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping

    from anabranch.model.environment import Aws

T = TypeVar("T")
R = TypeVar("R")

AT_ONCE = 8
"""Objects that are looked into at the same time, where no listing tells all of them."""
_SETTINGS: dict[str, Any] = {
    "connect_timeout": 10,
    "read_timeout": 60,
    # Standard mode repeats what was throttled or failed on the way, after random, growing delays.
    # Source: https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
    "retries": {"mode": "standard", "total_max_attempts": 6},
    "max_pool_connections": 16,
}
MISSING = "not-on-aws"
_MISSING = {
    "ResourceNotFoundException",
    "EntityNotFoundException",
    "NoSuchEntity",
    "StateMachineDoesNotExist",
    "ExecutionDoesNotExist",
    "ParameterNotFound",
    "404",
}
_DENIED = {"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "Forbidden", "403"}
_CREDENTIALS = {
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "RequestExpired",
    "RequestTimeTooSkewed",
    "UnrecognizedClientException",
    "InvalidAccessKeyId",
    "SignatureDoesNotMatch",
}
_SLOWER = {"RequestLimitExceeded", "SlowDown", "BandwidthLimitExceeded", "RequestThrottled"}
_ILL = 500
"""The first status of HTTP that tells trouble of AWS's own."""
_BUSY = {"ResourceConflictException", "ConflictException", "ConcurrentModification"}
"""Codes that say, when something is made, that it is there already."""
_THERE = {
    "AlreadyExistsException",
    "EntityAlreadyExists",
    "ResourceAlreadyExistsException",
    "StateMachineAlreadyExists",
}


class AwsClient:
    """One account in one region, with the credentials that AWS's own tools would find."""

    def __init__(self, aws: Aws) -> None:
        """Name it; nothing is asked yet."""
        self._aws = aws
        self._clients: dict[str, Any] = {}
        self._making = Lock()

    @cached_property
    def session(self) -> Any:
        """The session that makes the clients; tests listen here to what is sent.

        Raises:
            StepError: `not-installed`.
        """
        try:
            from boto3.session import Session
        except ImportError:
            message, hint = "speaking to AWS needs the package boto3", "pip install 'anabranch[aws]'"
            raise StepError(message, code="not-installed", hint=hint) from None
        return Session(region_name=self._aws.region or None)

    def ask(self, service: str, operation: str, **arguments: Any) -> dict[str, Any]:
        """Make one call and return its answer.

        Raises:
            NotFoundError: `not-on-aws`.
            ConflictError: `aws-denied`, `aws-credentials`, `aws-busy`, `aws-there`.
            StepError: `aws-unreachable`, `aws-refused`.
        """
        with _told(service, operation):
            answer: dict[str, Any] = getattr(self._client(service), operation)(**arguments)
        return answer

    def taken(self, service: str, operation: str, told: Mapping[str, Any], argument: str = "") -> dict[str, Any]:
        """Return, of what AWS told of an object, what the call that replaces it takes; nothing is asked.

        Args:
            service: whose the object is.
            operation: replaces the object: what is left out of it is reset.
            told: the object as it is.
            argument: of the operation that holds the object; empty where its arguments themselves do.
        """
        client = self._client(service)
        shape = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[operation]).input_shape
        known = (shape.members[argument] if argument else shape).members
        unset: tuple[object, ...] = ("", {}, [])  # so is told what nobody has said, and refused when it is told again
        return {name: value for name, value in told.items() if name in known and value not in unset}

    def content(self, **place: str) -> bytes:
        """Return what an object of S3 holds; raises as `ask`."""
        answer = self.ask("s3", "get_object", **place)
        with _told("s3", "get_object"):
            body: bytes = answer["Body"].read()
        return body

    def pages(self, service: str, operation: str, key: str, **arguments: Any) -> Iterator[dict[str, Any]]:
        """Yield the objects of a listing, page by page; raises as `ask`."""
        with _told(service, operation):
            for page in self._client(service).get_paginator(operation).paginate(**arguments):
                yield from page.get(key, ())

    def beside(self, ask: Callable[[T], R], those: Iterable[T]) -> list[R | None]:
        """Ask for each of several, some at a time; None where there is nothing, any more.

        Args:
            ask: makes a call of this client.
            those: what it is made for.
        """

        def one(that: T) -> R | None:
            try:
                return ask(that)
            except NotFoundError:  # it may go between a listing and this
                return None

        with ThreadPoolExecutor(AT_ONCE) as pool:
            return list(pool.map(one, those))

    def need_account(self) -> None:
        """Make sure that the credentials are of the account that is meant.

        Raises:
            ConflictError: `wrong-account`, and as `ask`.
        """
        found = self.ask("sts", "get_caller_identity")["Account"]
        if found != self._aws.account:
            message = f"the credentials are of AWS account {found}, and the environment is in {self._aws.account}"
            raise ConflictError(message, code="wrong-account", hint="take the other credentials: AWS_PROFILE")

    def _client(self, service: str) -> Any:
        with self._making:  # a session makes one client at a time
            if service not in self._clients:
                from botocore.config import Config

                made = self.session.client(service, config=Config(**_SETTINGS))
                if service == "iam":
                    _leave_policies(made)
                self._clients[service] = made
            return self._clients[service]


def _leave_policies(iam: Any) -> None:
    """Let policies be the text that AWS sends: reading those of all roles takes longer than all else of a listing."""
    from botocore.handlers import json_decode_policies

    iam.meta.events.unregister("after-call.iam", json_decode_policies)


@contextmanager
def _told(service: str, operation: str) -> Generator[None]:
    from botocore import exceptions

    call = f"{service}:{operation}"
    try:
        yield
    except exceptions.ClientError as error:
        raise _refused(call, error.response) from None
    except (
        exceptions.NoCredentialsError,
        exceptions.PartialCredentialsError,
        exceptions.CredentialRetrievalError,
        exceptions.TokenRetrievalError,
        exceptions.SSOError,
        exceptions.ProfileNotFound,
        exceptions.ConfigParseError,
    ) as error:
        message = f"AWS was not asked for {call}: {str(error).lower()}"
        hint = "log in (aws sso login), or set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        raise ConflictError(message, code="aws-credentials", hint=hint) from None
    except exceptions.ParamValidationError as error:
        message = f"AWS was not asked for {call}: {' '.join(str(error).split())}"
        raise StepError(message, code="aws-refused") from None
    except exceptions.BotoCoreError as error:
        message = f"AWS does not answer {call}: {str(error).partition(chr(10))[0]}"
        hint = "look at the network and the region, then run it again: it goes on where it stopped"
        raise StepError(message, code="aws-unreachable", hint=hint) from None


def _refused(call: str, answer: dict[str, Any]) -> NotFoundError | ConflictError | StepError:
    told, status = answer.get("Error", {}), answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    code, said = str(told.get("Code", "")), str(told.get("Message", ""))
    if code == "NoSuchBucket":
        hint = "make it, or name another as storage or artifacts of the environment"
        return NotFoundError(
            f"AWS has no such bucket for {call}: {told.get('BucketName', said)}", code=MISSING, hint=hint
        )
    if code in _MISSING or code.startswith("NoSuch"):
        return NotFoundError(f"AWS finds nothing for {call}: {said}", code=MISSING, hint="anabranch apply")
    if code in _CREDENTIALS:
        hint = "log in again, or look at AWS_PROFILE, the region, and this machine's clock"
        return ConflictError(f"AWS refuses the credentials ({code}): {said}", code="aws-credentials", hint=hint)
    if code in _DENIED:
        named = re.search(r"not authorized to perform: ([\w-]+:\w+)", said)  # it may be iam:PassRole
        hint = f"get the right to {named[1] if named else call}; then run it again: it goes on where it stopped"
        return ConflictError(f"AWS denies {call}: {said}", code="aws-denied", hint=hint)
    if code in _THERE or (code in _BUSY and ":create_" in call):
        message = f"AWS has made nothing by {call}, for something of that name is there: {said}"
        hint = "plan again: it says whose that is, and how to take it over"
        return ConflictError(message, code="aws-there", hint=hint)
    if code in _BUSY:
        message = f"AWS is busy with what {call} would change: {said}"
        return ConflictError(message, code="aws-busy", hint="run it again: it goes on where it stopped")
    if "Throttl" in code or "TooManyRequests" in code or code in _SLOWER:
        return StepError(f"AWS throttles {call}: {said}", code="aws-throttled", hint="wait a moment, then run it again")
    if status >= _ILL:
        message = f"AWS has trouble of its own with {call} ({code}): {said}"
        return StepError(message, code="aws-unreachable", hint="run it again: it goes on where it stopped")
    return StepError(f"AWS refuses {call} ({code}): {said}", code="aws-refused", hint="look at what it says")
