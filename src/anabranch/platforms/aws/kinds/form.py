"""What every kind of resource has in common: a normal form to compare by, and the mark that says whose it is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Protocol

from anabranch.model.resource import Address, Live, Owner, digest_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from anabranch.model.resource import Resource
    from anabranch.platforms.aws.client import AwsClient

MARK = "anabranch: "
"""How the text starts, in a description, that says whose a resource is."""


class Kind(Protocol):
    """Drives one kind of resource."""

    def live(self, client: AwsClient, owner: Owner, names: Collection[str]) -> Iterator[Live]:
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


def canonical(form: dict[str, Any]) -> bytes:
    """Return a resource's form as bytes: equal forms are equal bytes, whatever the order of their keys."""
    return json.dumps(form, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def form_of(resource: Resource) -> dict[str, Any]:
    """Return the form that a resource's content holds."""
    form: dict[str, Any] = json.loads(resource.content)
    return form


def live_of(kind: str, name: str, form: dict[str, Any], owner: Owner | None) -> Live:
    """Return a resource as it is there."""
    return Live(Address(f"{kind}/{name}"), name, digest_of(canonical(form)), owner)


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
