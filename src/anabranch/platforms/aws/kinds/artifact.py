"""Artifacts in S3: named by their content, so one that is there, whole, is the right one."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from anabranch.model.errors import NotFoundError
from anabranch.model.resource import Address, Live

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from anabranch.model.resource import Owner, Resource
    from anabranch.platforms.aws.client import AwsClient


class Artifacts:
    """Objects below one URL."""

    def __init__(self, url: str) -> None:
        """Name the place, `s3://bucket/prefix`."""
        self._bucket, _, prefix = url.removeprefix("s3://").rstrip("/").partition("/")
        self._below = f"{prefix}/" if prefix else ""

    def live(self, client: AwsClient, owner: Owner, folder: str, resources: Iterable[Resource]) -> Iterator[Live]:
        """Yield the objects of a deployment's folder. Nothing is read: one of another size is another."""
        wanted = {resource.name: resource for resource in resources}
        prefix = f"{self._below}{folder}/"
        for found in client.pages("s3", "list_objects_v2", "Contents", Bucket=self._bucket, Prefix=prefix):
            name = found["Key"].removeprefix(self._below)
            meant = wanted.get(name)
            digest = f"size:{found['Size']}"
            if meant is not None and len(meant.content) == found["Size"]:
                digest = meant.digest
            address = Address(f"artifact/{name.removeprefix(f'{folder}/')}")
            yield Live(address, name, digest, owner, shared=True)

    def write(self, client: AwsClient, resource: Resource) -> None:
        """Upload an artifact."""
        client.ask("s3", "put_object", Bucket=self._bucket, Key=f"{self._below}{resource.name}", Body=resource.content)

    def delete(self, client: AwsClient, live: Live) -> None:
        """Delete an artifact; it may be gone already."""
        with suppress(NotFoundError):
            client.ask("s3", "delete_object", Bucket=self._bucket, Key=f"{self._below}{live.name}")

    def read(self, client: AwsClient, name: str) -> bytes | None:
        """Return an artifact's content; None when it is not there."""
        try:
            return client.content(Bucket=self._bucket, Key=f"{self._below}{name}")
        except NotFoundError:
            return None
