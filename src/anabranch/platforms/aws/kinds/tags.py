"""Tags: what people want on all that is made, beside what says whose it is. What others put there is left alone.

One listing tells the tags of nearly all; it may lag behind, so where it says that something lacks a tag, that object
itself is asked. Which tags were put there for the project is a tag, too: so one that it wants no more can go, even when
the state was lost.

Source: https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from anabranch.platforms.aws.kinds.form import tags_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anabranch.model.resource import Owner
    from anabranch.platforms.aws.client import AwsClient
    from anabranch.platforms.aws.names import Arns

WANTED = "anabranch:tags"
"""The tag that names those which the project wanted."""
VALUE, MOST = 256, 50
"""Characters of a tag's value, and how many tags one object may have.

Source: https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html
"""


@dataclass(frozen=True, slots=True)
class Cell:
    """How one kind of resource is asked for its tags, and given some.

    Attributes:
        service: whose it is.
        ask: the call that lists tags, and the key of its answer.
        put: the call that adds tags, and the name of the argument that has them.
        take: the call that takes tags away, and the name of the argument that has their names.
        where: the argument that says which object is meant.
        what: that object, of its own name.
        pairs: what name and value are called where tags are a list; empty where they are an object.
    """

    service: str
    ask: tuple[str, str]
    put: tuple[str, str]
    take: tuple[str, str]
    where: str
    what: str
    pairs: tuple[str, ...] = ()


CELLS = {
    "function": Cell(
        "lambda",
        ("list_tags", "Tags"),
        ("tag_resource", "Tags"),
        ("untag_resource", "TagKeys"),
        "Resource",
        "lambda:function:{}",
    ),
    "job": Cell(
        "glue",
        ("get_tags", "Tags"),
        ("tag_resource", "TagsToAdd"),
        ("untag_resource", "TagsToRemove"),
        "ResourceArn",
        "glue:job/{}",
    ),
    "logs": Cell(
        "logs",
        ("list_tags_for_resource", "tags"),
        ("tag_resource", "tags"),
        ("untag_resource", "tagKeys"),
        "resourceArn",
        "logs:log-group:{}",
    ),
    "machine": Cell(
        "stepfunctions",
        ("list_tags_for_resource", "tags"),
        ("tag_resource", "tags"),
        ("untag_resource", "tagKeys"),
        "resourceArn",
        "states:stateMachine:{}",
        ("key", "value"),
    ),
    "role": Cell(
        "iam",
        ("list_role_tags", "Tags"),
        ("tag_role", "Tags"),
        ("untag_role", "TagKeys"),
        "RoleName",
        "",
        ("Key", "Value"),
    ),
    "rule": Cell(
        "events",
        ("list_tags_for_resource", "Tags"),
        ("tag_resource", "Tags"),
        ("untag_resource", "TagKeys"),
        "ResourceARN",
        "events:rule/{}",
        ("Key", "Value"),
    ),
}
"""Kinds that take tags. A schedule takes none: AWS tags groups of schedules only.

Source: https://docs.aws.amazon.com/scheduler/latest/APIReference/API_TagResource.html
"""


def wanted_tags(owner: Owner, wanted: Mapping[str, str]) -> dict[str, str]:
    """Return all tags that an object should have.

    >>> from anabranch.model.resource import Owner
    >>> wanted_tags(Owner("flights", "prod"), {"cost centre": "7", "team": "data"})["anabranch:tags"]
    'cost+scentre team'
    """
    names = " ".join(name.replace("+", "+p").replace(" ", "+s") for name in sorted(wanted))
    return {**wanted, **tags_of(owner), **({WANTED: names} if names else {})}


def kept(told: Mapping[str, str], wanted: Mapping[str, str]) -> dict[str, str]:
    """Return, of the tags that an object has, those that are wanted, or were put there for the project.

    >>> kept({"team": "data", "theirs": "1", "old": "2", "anabranch:tags": "team old"}, {"team": "data"})
    {'anabranch:tags': 'team old', 'old': '2', 'team': 'data'}
    """
    were = {name.replace("+s", " ").replace("+p", "+") for name in told.get(WANTED, "").split(" ")}
    return {name: told[name] for name in sorted({*wanted, *were, WANTED}) if name in told}


class Tags:
    """The tags of an account's objects."""

    def __init__(self, client: AwsClient, arns: Arns) -> None:
        """Name the account; nothing is asked yet."""
        self._client, self._arns = client, arns

    def listed(self, owner: Owner) -> dict[str, dict[str, str]]:
        """Return the tags of all that carries an owner's, by full name."""
        meant = [{"Key": name, "Values": [value]} for name, value in tags_of(owner).items()]
        found = self._client.pages(
            "resourcegroupstaggingapi", "get_resources", "ResourceTagMappingList", TagFilters=meant
        )
        return {each["ResourceARN"]: {tag["Key"]: tag["Value"] for tag in each["Tags"]} for each in found}

    def full(self, kind: str, name: str) -> str:
        """Return what an object is called where its tags are asked for."""
        what = CELLS[kind].what
        return self._arns.full(what.format(name)) if what else name

    def of(self, kind: str, name: str) -> dict[str, str]:
        """Return the tags of one object."""
        cell = CELLS[kind]
        operation, key = cell.ask
        told = self._client.ask(cell.service, operation, **{cell.where: self.full(kind, name)})[key]
        return {each[cell.pairs[0]]: each[cell.pairs[1]] for each in told} if cell.pairs else dict(told)

    def put(self, kind: str, name: str, wanted: Mapping[str, str]) -> None:
        """Give an object its tags, and take away those that were put there and are not wanted any more.

        The tag that names the others is written last: cut off before, what is left to do is still seen.
        """
        cell, there = CELLS[kind], self.of(kind, name)
        where: dict[str, Any] = {cell.where: self.full(kind, name)}
        if gone := sorted(set(kept(there, wanted)) - set(wanted)):
            self._client.ask(cell.service, cell.take[0], **where, **{cell.take[1]: gone})
        if new := {key: value for key, value in wanted.items() if there.get(key) != value}:
            self._client.ask(cell.service, cell.put[0], **where, **{cell.put[1]: spelled(kind, new)})


def spelled(kind: str, tags: Mapping[str, str]) -> Any:
    """Return tags as a kind's service takes them."""
    pairs = CELLS[kind].pairs
    return [{pairs[0]: name, pairs[1]: value} for name, value in tags.items()] if pairs else dict(tags)
