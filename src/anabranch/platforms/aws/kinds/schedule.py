"""Schedules of EventBridge Scheduler: the description says whose they are."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from anabranch.model.errors import NotFoundError
from anabranch.platforms.aws.kinds.form import form_of, live_of, mark_of, owner_in
from anabranch.platforms.aws.kinds.patience import NEW_ROLE, patiently
from anabranch.platforms.aws.names import prefix_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from anabranch.model.resource import Live, Owner, Resource
    from anabranch.platforms.aws.client import AwsClient
    from anabranch.platforms.aws.kinds.form import Found

_OF_ANY_TARGET = ("DeadLetterConfig", "RetryPolicy")
"""What others may say of a target, whatever it is: all else is of targets that are no state machines.

Source: https://docs.aws.amazon.com/scheduler/latest/APIReference/API_Target.html
"""


def schedule_form(owner: Owner, expression: str, timezone: str, machine: str, role: str) -> dict[str, Any]:
    """Return a schedule's form."""
    return {
        "expression": expression,
        "timezone": timezone,
        "target": machine,
        "role": role,
        "input": '{"trigger":"schedule"}',
        "description": mark_of(owner),
    }


class Schedules:
    """The schedules of an account, in its default group."""

    def live(self, client: AwsClient, owner: Owner, names: Collection[str]) -> Iterator[Found]:
        """Yield what is there; those whose name could be the owner's are looked into."""
        meant = {"GroupName": "default", "NamePrefix": prefix_of(owner)}  # a group may hold a million
        ours = [each["Name"] for each in client.pages("scheduler", "list_schedules", "Schedules", **meant)]
        for told in client.beside(lambda name: client.ask("scheduler", "get_schedule", Name=name), ours):
            if told is None:
                continue
            name, whose = told["Name"], owner_in(told.get("Description", ""))
            if whose == owner or name in names:
                form = {
                    "expression": told["ScheduleExpression"],
                    "timezone": told.get("ScheduleExpressionTimezone", "UTC"),
                    "target": told["Target"]["Arn"],
                    "role": told["Target"]["RoleArn"],
                    "input": told["Target"].get("Input", ""),
                    "description": told.get("Description", ""),
                }
                yield live_of("schedule", name, form, whose)

    def create(self, client: AwsClient, resource: Resource) -> None:
        """Make a schedule, once its role can be taken."""
        told = {**_settings(resource), "FlexibleTimeWindow": {"Mode": "OFF"}, "State": "ENABLED"}
        patiently(lambda: client.ask("scheduler", "create_schedule", **told), NEW_ROLE)

    def update(self, client: AwsClient, resource: Resource) -> None:
        """Change a schedule. What is not told is reset, so what others set is said again, such as that it is off."""
        there = client.ask("scheduler", "get_schedule", Name=resource.name)
        theirs = client.taken("scheduler", "update_schedule", there)
        if (start := theirs.get("StartDate")) and start < datetime.now(UTC):  # it says nothing more, and is refused
            del theirs["StartDate"]
        ours = _settings(resource)
        kept = {name: value for name, value in there["Target"].items() if name in _OF_ANY_TARGET}
        told = {**theirs, **ours, "Target": {**kept, **ours["Target"]}}
        patiently(lambda: client.ask("scheduler", "update_schedule", **told), NEW_ROLE)

    def delete(self, client: AwsClient, live: Live) -> None:
        """Delete a schedule."""
        with suppress(NotFoundError):
            client.ask("scheduler", "delete_schedule", Name=live.name)


def _settings(resource: Resource) -> dict[str, Any]:
    form = form_of(resource)
    return {
        "Name": resource.name,
        "ScheduleExpression": form["expression"],
        "ScheduleExpressionTimezone": form["timezone"],
        "Description": form["description"],
        "Target": {"Arn": form["target"], "RoleArn": form["role"], "Input": form["input"]},
    }
