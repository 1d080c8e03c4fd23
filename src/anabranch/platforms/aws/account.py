"""The `Platform` of one deployment on AWS: each kind of resource, driven by its own file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from anabranch.platforms.aws.deploy import artifact_folder
from anabranch.platforms.aws.kinds.artifact import Artifacts
from anabranch.platforms.aws.kinds.function import Functions
from anabranch.platforms.aws.kinds.job import Jobs
from anabranch.platforms.aws.kinds.logs import LogGroups
from anabranch.platforms.aws.kinds.machine import Machines
from anabranch.platforms.aws.kinds.role import Roles
from anabranch.platforms.aws.kinds.rule import Rules
from anabranch.platforms.aws.kinds.schedule import Schedules

if TYPE_CHECKING:
    from collections.abc import Iterable

    from anabranch.model.resource import Address, Live, Owner, Resource
    from anabranch.platforms.aws.client import AwsClient
    from anabranch.platforms.aws.kinds.form import Kind
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
        self._client, self._owner = client, owner
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

    def live(self, resources: Iterable[Resource]) -> dict[Address, Live]:
        """Return what is there now: at these resources' names, and all else that carries the deployment's mark."""
        wanted = list(resources)
        self._client.need_account()
        artifacts = [each for each in wanted if each.kind == "artifact"]
        folder = artifact_folder(self._owner)
        found = list(self.artifacts.live(self._client, self._owner, folder, artifacts))
        for name, kind in self._kinds.items():
            names = {each.name for each in wanted if each.kind == name}
            found += kind.live(self._client, self._owner, names)
        return {each.address: each for each in found}

    def create(self, resource: Resource) -> None:
        """Make a resource, marked as the deployment's."""
        if resource.kind == "artifact":
            self.artifacts.write(self._client, resource)
        else:
            self._kinds[resource.kind].create(self._client, resource)

    def update(self, resource: Resource, live: Live) -> None:  # noqa: ARG002 - what is there says nothing that we keep
        """Make of what is there what should be."""
        if resource.kind == "artifact":
            self.artifacts.write(self._client, resource)
        else:
            self._kinds[resource.kind].update(self._client, resource)

    def delete(self, live: Live) -> None:
        """Delete what is there; it may be gone already."""
        kind = live.address.partition("/")[0]
        if kind == "artifact":
            self.artifacts.delete(self._client, live)
        else:
            self._kinds[kind].delete(self._client, live)
