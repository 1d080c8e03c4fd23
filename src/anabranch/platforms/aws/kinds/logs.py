"""Log groups: the name's folders say whose they are."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from anabranch.model.errors import NotFoundError
from anabranch.model.resource import Address
from anabranch.platforms.aws.kinds.form import Found, form_of
from anabranch.platforms.aws.names import path_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from anabranch.model.resource import Live, Owner, Resource
    from anabranch.platforms.aws.client import AwsClient

DAYS = 30
"""How long what steps printed is kept."""


def logs_form() -> dict[str, Any]:
    """Return a log group's form."""
    return {"days": DAYS}


def logs_address(owner: Owner, name: str) -> Address:
    """Return the address of a log group below the owner's folder."""
    return Address(f"logs/{name.removeprefix(path_of(owner))}")


class LogGroups:
    """The log groups of an account."""

    def live(self, client: AwsClient, owner: Owner, names: Collection[str]) -> Iterator[Found]:  # noqa: ARG002 - all names are below ours
        """Yield what is below the owner's folder: nobody else's name is ours."""
        for group in client.pages("logs", "describe_log_groups", "logGroups", logGroupNamePrefix=path_of(owner)):
            name = group["logGroupName"]
            yield Found(logs_address(owner, name), name, {"days": group.get("retentionInDays")}, owner)

    def create(self, client: AwsClient, resource: Resource) -> None:
        """Make a log group, then say how long it keeps; cut off between, it is updated."""
        client.ask("logs", "create_log_group", logGroupName=resource.name, tags=form_of(resource)["tags"])
        self.update(client, resource)

    def update(self, client: AwsClient, resource: Resource) -> None:
        """Say how long a log group keeps what it is told."""
        days = form_of(resource)["days"]
        client.ask("logs", "put_retention_policy", logGroupName=resource.name, retentionInDays=days)

    def delete(self, client: AwsClient, live: Live) -> None:
        """Delete a log group with what is in it."""
        with suppress(NotFoundError):
            client.ask("logs", "delete_log_group", logGroupName=live.name)
