"""Rules of EventBridge that start a pipeline when an object is created: the description says whose they are."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from anabranch.model.errors import NotFoundError, StepError
from anabranch.platforms.aws.kinds.form import form_of, live_of, mark_of, owner_in
from anabranch.platforms.aws.kinds.patience import NEW_ROLE, patiently
from anabranch.platforms.aws.kinds.tags import spelled
from anabranch.platforms.aws.names import prefix_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from anabranch.model.pipeline import ObjectCreated
    from anabranch.model.resource import Live, Owner, Resource
    from anabranch.platforms.aws.client import AwsClient
    from anabranch.platforms.aws.kinds.form import Found

TARGET = "pipeline"
"""The id of a rule's only target."""
_OF_ANY_TARGET = ("DeadLetterConfig", "RetryPolicy")
"""What others may say of a target, whatever it is."""


def rule_form(owner: Owner, trigger: ObjectCreated, machine: str, role: str) -> dict[str, Any]:
    """Return a rule's form: the machine is given the event as EventBridge tells it."""
    return {
        "pattern": pattern_of(trigger),
        "targets": [[TARGET, machine, role, ""]],
        "description": mark_of(owner),
    }


def pattern_of(trigger: ObjectCreated) -> dict[str, Any]:
    """Return the events that start a pipeline.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/ev-events.html

    >>> from anabranch.model.pipeline import ObjectCreated
    >>> pattern_of(ObjectCreated("inbox", "a/", ".json"))["detail"]["object"]
    {'key': [{'wildcard': 'a/*.json'}]}
    """
    detail: dict[str, Any] = {"bucket": {"name": [trigger.bucket]}}
    if trigger.prefix and trigger.suffix:  # two conditions in one list would be either, not both
        detail["object"] = {"key": [{"wildcard": f"{_plain(trigger.prefix)}*{_plain(trigger.suffix)}"}]}
    elif trigger.prefix or trigger.suffix:
        where = "prefix" if trigger.prefix else "suffix"
        detail["object"] = {"key": [{where: trigger.prefix or trigger.suffix}]}
    return {"source": ["aws.s3"], "detail-type": ["Object Created"], "detail": detail}


def _plain(text: str) -> str:
    return text.replace("\\", "\\\\").replace("*", "\\*")


class Rules:
    """The rules of an account's default event bus."""

    def live(self, client: AwsClient, owner: Owner, names: Collection[str]) -> Iterator[Found]:
        """Yield what is there; the targets of those that are ours are asked for."""
        listed = client.pages("events", "list_rules", "Rules", NamePrefix=prefix_of(owner))
        ours = [each for each in listed if each["Name"] in names or owner_in(each.get("Description", "")) == owner]
        targets = client.beside(lambda each: _targets(client, each["Name"]), ours)
        for found, starts in zip(ours, targets, strict=True):
            if starts is not None:
                whose = owner_in(found.get("Description", ""))
                form = {
                    "pattern": json.loads(found.get("EventPattern") or "{}"),
                    "targets": sorted(
                        [each["Id"], each["Arn"], each.get("RoleArn", ""), each.get("Input", "")] for each in starts
                    ),
                    "description": found.get("Description", ""),
                }
                yield live_of("rule", found["Name"], form, whose)

    def create(self, client: AwsClient, resource: Resource) -> None:
        """Make a rule, then what it starts; cut off between, it starts nothing, and is updated."""
        self._put(client, resource, "ENABLED", (), Tags=spelled("rule", form_of(resource)["tags"]))

    def update(self, client: AwsClient, resource: Resource) -> None:
        """Change a rule; one that somebody has switched off stays so, and what else it starts is taken away.

        A target that is told again is replaced, so what others said of ours is said again.
        """
        state = client.ask("events", "describe_rule", Name=resource.name)["State"]
        there = _targets(client, resource.name)
        self._put(client, resource, state, there)
        others = [each["Id"] for each in there if each["Id"] != TARGET]
        if others:
            _each(client, "remove_targets", Rule=resource.name, Ids=others)

    def delete(self, client: AwsClient, live: Live) -> None:
        """Delete a rule, after what it starts."""
        with suppress(NotFoundError):
            if ids := [each["Id"] for each in _targets(client, live.name)]:
                _each(client, "remove_targets", Rule=live.name, Ids=ids)
            client.ask("events", "delete_rule", Name=live.name)

    def _put(
        self, client: AwsClient, resource: Resource, state: str, there: Iterable[Mapping[str, Any]], **more: Any
    ) -> None:
        form = form_of(resource)
        told = {"EventPattern": json.dumps(form["pattern"]), "Description": form["description"], "State": state}
        client.ask("events", "put_rule", Name=resource.name, **told, **more)
        theirs = {each["Id"]: {key: each[key] for key in _OF_ANY_TARGET if key in each} for each in there}
        targets = [
            {**theirs.get(each[0], {}), "Id": each[0], "Arn": each[1], "RoleArn": each[2]} for each in form["targets"]
        ]
        patiently(lambda: _each(client, "put_targets", Rule=resource.name, Targets=targets), NEW_ROLE)


def _each(client: AwsClient, operation: str, **told: Any) -> None:
    """Make a call about several targets, which is answered well even where it did nothing for some.

    Raises:
        ConflictError: as `AwsClient.ask`.
        StepError: the same; `aws-refused`, of one of the targets.
    """
    for failed in client.ask("events", operation, **told).get("FailedEntries", ()):
        why = f"{failed.get('TargetId')}: {failed.get('ErrorCode')}: {failed.get('ErrorMessage')}"
        message = f"AWS refuses events:{operation} for a target of {told['Rule']}, {why}"
        raise StepError(message, code="aws-refused", hint="apply again")


def _targets(client: AwsClient, rule: str) -> list[dict[str, Any]]:
    return list(client.pages("events", "list_targets_by_rule", "Targets", Rule=rule))
