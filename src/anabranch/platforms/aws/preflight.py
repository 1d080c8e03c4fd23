"""What a deployment finds in its account, before anything is made: `check -e` says each thing that is not there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from anabranch.model.call import NativeCall
from anabranch.model.environment import kept_there
from anabranch.model.errors import AnabranchError, Diagnostic, NotFoundError, Severity
from anabranch.model.pipeline import ObjectCreated
from anabranch.platforms.aws.native import NATIVE
from anabranch.platforms.aws.secrets import MANAGER, STORE, split

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

    from anabranch.model.environment import Aws, Environment
    from anabranch.model.pipeline import Pipeline, Step
    from anabranch.model.place import Place
    from anabranch.platforms.aws.client import AwsClient
    from anabranch.platforms.aws.names import Arns


class Preflight:
    """One look at an account."""

    def __init__(self, client: AwsClient, arns: Arns, environment: Environment, aws: Aws) -> None:
        """Name it; nothing is asked yet."""
        self._client, self._arns, self._environment, self._aws = client, arns, environment, aws

    def findings(self, pipelines: Sequence[Pipeline]) -> Iterator[Diagnostic]:
        """Yield what is not there; where AWS cannot be asked, that, as a warning."""
        place = self._environment.place
        try:
            self._client.need_account()
        except AnabranchError as error:
            if error.code == "wrong-account":
                yield Diagnostic(error.code, error.message, error.hint, place)
                return
            message = f"the account of `{self._environment.name}` was not looked at: {error.message}"
            yield Diagnostic("not-looked-at", message, error.hint, place, Severity.WARNING)
            return
        yield from self._buckets()
        if self._aws.interpreter:
            bucket, _, key = self._aws.interpreter.removeprefix("s3://").partition("/")
            yield from self._there("interpreter", key, place, "s3", "head_object", Bucket=bucket, Key=key)
        for pipeline in pipelines:
            yield from self._needed_by(pipeline)
        yield from self._secrets(pipelines)

    def _needed_by(self, pipeline: Pipeline) -> Iterator[Diagnostic]:
        if isinstance(pipeline.trigger, ObjectCreated):
            yield from self._events(pipeline.trigger.bucket, pipeline)
        for step in pipeline.steps:
            if isinstance(step.call, NativeCall) and step.call.platform in NATIVE:
                yield from self._job(step, step.call)

    def _secrets(self, pipelines: Sequence[Pipeline]) -> Iterator[Diagnostic]:
        """Yield what is not there of the secrets, each once, and only where the environment keeps it."""
        common = [(name, value) for name, value in self._environment.variables if value.startswith("secret://")]
        kept = {value: (f"secret of the variable {name}", self._environment.place) for name, value in common}
        for pipeline in pipelines:
            for step in pipeline.steps:
                for _, reference in kept_there(step.needs, common):
                    kept.setdefault(reference, (f"secret of step `{step.id}`", step.place))
        for reference, (what, place) in kept.items():
            yield from self._secret(reference, what, place)

    def _secret(self, reference: str, what: str, place: Place | None) -> Iterator[Diagnostic]:
        """Yield that a secret is not there; its value is not asked for."""
        provider, name = split(reference)
        if provider == MANAGER:
            yield from self._there(what, reference, place, MANAGER, "describe_secret", SecretId=name)
        elif provider == STORE:
            yield from self._there(what, reference, place, STORE, "get_parameter", Name=name)

    def _buckets(self) -> Iterator[Diagnostic]:
        found: dict[str, list[str]] = {}
        for kind, url in (("storage", self._environment.storage), ("artifacts", self._environment.artifacts)):
            found.setdefault(url.removeprefix("s3://").partition("/")[0], []).append(kind)
        for bucket, what in found.items():
            called = f"bucket of its {' and '.join(what)}"
            yield from self._there(called, bucket, self._environment.place, "s3", "head_bucket", Bucket=bucket)

    def _events(self, bucket: str, pipeline: Pipeline) -> Iterator[Diagnostic]:
        """Yield that a bucket tells EventBridge nothing, so that nothing would start the pipeline.

        Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-event-notifications-eventbridge.html
        """
        what = f"bucket whose objects start `{pipeline.name}`"
        told = yield from self._there(
            what, bucket, pipeline.place, "s3", "get_bucket_notification_configuration", Bucket=bucket
        )
        if told is not None and "EventBridgeConfiguration" not in told:
            message = f"the bucket {bucket} tells EventBridge nothing, so nothing starts `{pipeline.name}`"
            hint = "switch it on in the bucket's properties, with all other notifications that it should keep"
            yield Diagnostic("no-events", message, hint, pipeline.place)

    def _job(self, step: Step, call: NativeCall) -> Iterator[Diagnostic]:
        cell = NATIVE[call.platform]
        service, operation, argument = cell.ask
        name = cell.arn(self._arns, call.job) if argument.endswith("Arn") else call.job
        what = f"{call.platform} job of step `{step.id}`"
        if call.platform == "batch":  # its listing is empty where others say that nothing is there
            name, _, _ = call.job.partition(":")
            found = {argument: name, "status": "ACTIVE"}
            told = yield from self._there(what, call.job, step.place, service, operation, **found)
            if told is not None and not told["jobDefinitions"]:
                yield self._missing(what, call.job, step.place)
            return
        yield from self._there(what, call.job, step.place, service, operation, **{argument: name})

    def _there(
        self, what: str, name: str, place: Place | None, service: str, operation: str, **arguments: str
    ) -> Generator[Diagnostic, None, dict[str, Any] | None]:
        """Yield that something is not there, or cannot be seen from here; return the answer where there is one.

        Who may not look at it is not who uses it: a right that is missing here is no mistake of the project.
        """
        try:
            return self._client.ask(service, operation, **arguments)
        except NotFoundError:
            yield self._missing(what, name, place)
        except AnabranchError as error:
            message = f"the {what}, {name}, was not looked at: {error.message}"
            yield Diagnostic("not-looked-at", message, error.hint, place, Severity.WARNING)
        return None

    def _missing(self, what: str, name: str, place: Place | None) -> Diagnostic:
        where = f"account {self._aws.account} in {self._aws.region}"
        return Diagnostic(
            "not-on-aws", f"the {what} is not there: {name}, in {where}", "make it, or name another", place
        )
