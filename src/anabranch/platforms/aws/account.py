"""The `Platform` of one deployment on AWS: each kind of resource, driven by its own file."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from anabranch.model.errors import ConflictError
from anabranch.model.resource import Live, digest_of
from anabranch.platforms.aws.kinds.artifact import Artifacts
from anabranch.platforms.aws.kinds.form import canonical, form_of
from anabranch.platforms.aws.kinds.function import Functions
from anabranch.platforms.aws.kinds.job import Jobs
from anabranch.platforms.aws.kinds.logs import LogGroups
from anabranch.platforms.aws.kinds.machine import Machines
from anabranch.platforms.aws.kinds.role import Roles
from anabranch.platforms.aws.kinds.rule import Rules
from anabranch.platforms.aws.kinds.schedule import Schedules
from anabranch.platforms.aws.kinds.tags import Tags, kept

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from anabranch.model.resource import Address, Applied, Owner, Resource
    from anabranch.platforms.aws.client import AwsClient
    from anabranch.platforms.aws.kinds.form import Found, Kind
    from anabranch.platforms.aws.names import Arns


class AwsAccount:
    """An account, as one namespace of a project uses it."""

    def __init__(self, client: AwsClient, arns: Arns, artifacts: str, owner: Owner) -> None:
        """Name it; nothing is asked yet.

        Args:
            client: of the account.
            arns: of the account.
            artifacts: `s3://bucket/prefix`.
            owner: whose deployment it is.
        """
        self._client, self._owner, self._tags = client, owner, Tags(client, arns)
        self.artifacts = Artifacts(artifacts)
        self._kinds: dict[str, Kind] = {
            "role": Roles(),
            "logs": LogGroups(),
            "function": Functions(),
            "job": Jobs(),
            "machine": Machines(arns),
            "schedule": Schedules(),
            "rule": Rules(),
        }

    def live(self, resources: Iterable[Resource], known: Iterable[Applied] = ()) -> dict[Address, Live]:
        """Return what is there now: see `Platform.live`."""
        wanted = list(resources)
        named = [*((each.address, each.name) for each in wanted), *((each.address, each.name) for each in known)]
        self._client.need_account()
        artifacts = [each for each in wanted if each.kind == "artifact"]
        folder = self._owner.path
        found = list(self.artifacts.live(self._client, self._owner, folder, artifacts))
        there: list[Found] = []
        for name, kind in self._kinds.items():
            names = {each for address, each in named if address.startswith(f"{name}/")}
            there += kind.live(self._client, self._owner, names)
        found += self._compared(there, {each.address: form_of(each) for each in wanted if each.kind in self._kinds})
        return {each.address: each for each in found}

    def _compared(self, there: Sequence[Found], wanted: Mapping[Address, dict[str, Any]]) -> Iterator[Live]:
        """Yield what is there, with those of its tags that mean something to us, and what of it is not as wanted."""
        tagged = [each for each in there if "tags" in wanted.get(each.address, ())]
        told = self._tagged(tagged, {each.address: wanted[each.address]["tags"] for each in tagged})
        for each in there:
            form, differs = dict(each.form), list[str]()
            should = dict(wanted.get(each.address, {}))
            if (tags := told.get(each.address)) is not None:
                differs += ["tags"] if should.pop("tags") != tags else []
            if should and canonical(should) != canonical(form):
                differs.append("content")
            whole = form if tags is None else {**form, "tags": tags}
            yield Live(each.address, each.name, digest_of(canonical(whole)), each.owner, differs=tuple(differs))

    def _tagged(
        self, there: Sequence[Found], wanted: Mapping[Address, dict[str, str]]
    ) -> dict[Address, dict[str, str]]:
        """Return the tags of objects: from a listing, or from an object itself where that says that one is amiss."""
        listed = self._tags.listed(self._owner) if any(each.tags is None for each in there) else {}
        found: dict[Address, dict[str, str]] = {}
        amiss: list[Found] = []
        for each in there:
            tags = listed.get(self._tags.full(_kind(each), each.name)) if each.tags is None else each.tags
            found[each.address] = kept(tags or {}, wanted[each.address])
            if each.tags is None and found[each.address] != wanted[each.address]:
                amiss.append(each)
        asked = self._client.beside(lambda each: self._tags.of(_kind(each), each.name), amiss)
        return found | {
            each.address: kept(tags or {}, wanted[each.address]) for each, tags in zip(amiss, asked, strict=True)
        }

    def create(self, resource: Resource) -> None:
        """Make a resource, marked as the deployment's.

        Where it is there already and is ours, a call whose answer was lost has made it: it becomes what it should be.
        """
        if resource.kind == "artifact":
            self.artifacts.write(self._client, resource)
            return
        try:
            self._kinds[resource.kind].create(self._client, resource)
        except ConflictError as error:
            live = self.live([resource]).get(resource.address) if error.code == "aws-there" else None
            if live is None or live.owner != self._owner:
                raise
            self.update(resource, replace(live, differs=("content", *live.differs)))

    def update(self, resource: Resource, live: Live) -> None:
        """Make of what is there what should be; cut off before its tags are, it is updated again.

        Raises:
            ConflictError: `not-to-be-taken`, and as `AwsClient.ask`.
        """
        if resource.kind == "artifact":
            self.artifacts.write(self._client, resource)
            return
        if resource.kind == "role" and live.owner is None:  # its path says whose it is, and AWS moves no role
            message = f"the role {resource.name} cannot be taken over: whose a role is stays as it was made"
            raise ConflictError(
                message, code="not-to-be-taken", hint="delete that role, or rename the step or pipeline"
            )
        if "content" in live.differs:
            self._kinds[resource.kind].update(self._client, resource)
        if "tags" in live.differs:
            self._tags.put(resource.kind, resource.name, form_of(resource)["tags"])

    def delete(self, live: Live) -> None:
        """Delete what is there; it may be gone already."""
        kind = live.address.partition("/")[0]
        if kind == "artifact":
            self.artifacts.delete(self._client, live)
        else:
            self._kinds[kind].delete(self._client, live)


def _kind(found: Found) -> str:
    return found.address.partition("/")[0]
