"""What every kind of resource has in common: a normal form to compare by, and the mark that says whose it is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from anabranch.model.resource import Address, Owner

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from anabranch.model.resource import Live, Resource
    from anabranch.platforms.aws.client import AwsClient

MARK = "anabranch: "
"""How the text starts, in a description, that says whose a resource is."""


@dataclass(frozen=True, slots=True)
class Found:
    """One object as it is there.

    Attributes:
        address: its name in the deployment.
        name: its name on AWS.
        form: what it is, but for its tags.
        owner: whose it is; None where it carries no mark of ours.
        tags: all that it has, where its listing tells.
    """

    address: Address
    name: str
    form: Mapping[str, Any]
    owner: Owner | None
    tags: Mapping[str, str] | None = None


class Kind(Protocol):
    """Drives one kind of resource."""

    def live(self, client: AwsClient, owner: Owner, names: Collection[str]) -> Iterator[Found]:
        """Yield what is there at these names, and all else of the owner's."""
        ...

    def create(self, client: AwsClient, resource: Resource) -> None:
        """Make a resource."""
        ...

    def update(self, client: AwsClient, resource: Resource) -> None:
        """Make of what is there what should be."""
        ...

    def delete(self, client: AwsClient, live: Live) -> None:
        """Delete what is there; it may be gone already."""
        ...


def canonical(form: Mapping[str, Any]) -> bytes:
    """Return a resource's form as bytes: equal forms are equal bytes, whatever the order of their keys."""
    return json.dumps(form, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def form_of(resource: Resource) -> dict[str, Any]:
    """Return the form that a resource's content holds."""
    form: dict[str, Any] = json.loads(resource.content)
    return form


def live_of(kind: str, name: str, form: dict[str, Any], owner: Owner | None) -> Found:
    """Return a resource as it is there, of which a listing tells no tags."""
    return Found(Address(f"{kind}/{name}"), name, form, owner)


def mark_of(owner: Owner) -> str:
    """Return the text that says whose a resource is.

    >>> owner_in(mark_of(Owner("flights", "prod", "main")))
    Owner(project='flights', environment='prod', namespace='main')
    """
    told = {"project": owner.project, "environment": owner.environment, "namespace": owner.namespace}
    return MARK + json.dumps(told)


def owner_in(text: str) -> Owner | None:
    """Return whose a resource is, by the mark in a text of it; None where there is no mark."""
    _, found, rest = text.partition(MARK)
    if not found:
        return None
    try:
        told, _ = json.JSONDecoder().raw_decode(rest)
        return Owner(told["project"], told["environment"], told["namespace"])
    except (ValueError, KeyError, TypeError):
        return None


def tags_of(owner: Owner) -> dict[str, str]:
    """Return the tags that tell people, and their bills, whose a resource is."""
    return {
        "anabranch:project": owner.project,
        "anabranch:environment": owner.environment,
        "anabranch:namespace": owner.namespace,
    }
