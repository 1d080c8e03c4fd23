"""The few operations on an object store that we need, by obstore: S3, GCS and Azure alike."""

from __future__ import annotations

import os
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from anabranch.data.objects.credentials import aws_credentials
from anabranch.model.errors import StepError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable
    from pathlib import Path

SCHEMES = ("s3://", "gs://", "az://")
_TIMEOUT = {"timeout": "120s", "connect_timeout": "10s"}
_RETRIES = {"max_retries": 5}
_LEADS = (
    *("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_REGION", "AWS_DEFAULT_REGION"),
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
    *("AWS_PROFILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"),
)
"""Variables that a store reads once, when it is made: with others, it is another store."""


class Objects:
    """The objects below one URL; keys are relative to it."""

    def __init__(self, url: str) -> None:
        """Name the place; nothing is asked yet.

        Raises:
            StepError: `not-installed`; `storage-denied`, nobody here has credentials for it.
        """
        self.url = url.rstrip("/")
        try:
            from obstore import store as stores
        except ImportError:
            message, hint = f"storage {url} needs the package obstore", "pip install 'anabranch[objects]'"
            raise StepError(message, code="not-installed", hint=hint) from None
        endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL", "")
        options: dict[str, Any] = dict(_TIMEOUT)
        config: dict[str, Any] = {}
        more: dict[str, Any] = {}
        if url.startswith("s3://"):
            if (found := aws_credentials(self.url)) is not None:
                more["credential_provider"] = found
            region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
            if region or "region" not in getattr(found, "config", {}):
                config["region"] = region or "us-east-1"
            if endpoint:
                config["endpoint"] = endpoint
                options["allow_http"] = endpoint.startswith("http://")
        connect: Any = stores.from_url  # its overloads tell the clouds apart by their options
        self._store: Any = connect(
            self.url, config=config or None, client_options=options, retry_config=_RETRIES, **more
        )

    def _no_bucket(self) -> StepError:
        """Return what is said where a key need not be there, and the store finds nothing all the same."""
        message = f"there is no bucket for {self.url}"
        return StepError(message, code="storage-unreachable", hint="make the bucket, or correct its name")

    def list(self, prefix: str) -> dict[str, tuple[int, str]]:
        """Return the size and etag of the object at a key, and of those below it."""
        import obstore

        with told(self.url, prefix):
            try:
                found = {
                    meta["path"]: (meta["size"], meta["e_tag"] or "")
                    for page in obstore.list(self._store, prefix or None)
                    for meta in page
                }
            except FileNotFoundError:
                raise self._no_bucket() from None
            try:
                meta = obstore.head(self._store, prefix) if prefix else None
            except FileNotFoundError:
                meta = None
        if meta is not None:
            found[meta["path"]] = (meta["size"], meta["e_tag"] or "")
        return dict(sorted(found.items()))

    def read(self, key: str) -> bytes | None:
        """Return an object's content; None when there is none."""
        import obstore

        with told(self.url, key):
            try:
                return bytes(obstore.get(self._store, key).bytes())
            except FileNotFoundError:
                return None

    def get(self, key: str) -> tuple[bytes, str] | None:
        """Return an object's content and its etag; None when there is none."""
        import obstore

        with told(self.url, key):
            try:
                found = obstore.get(self._store, key)
                return bytes(found.bytes()), str(found.meta["e_tag"] or "")
            except FileNotFoundError:
                return None

    def fetch(self, key: str, path: Path) -> str:
        """Write an object's content to a file; return the etag of what was written."""
        import obstore

        with told(self.url, key):
            found = obstore.get(self._store, key)
            with path.open("wb") as file:
                for chunk in found.stream(min_chunk_size=8 << 20):
                    file.write(bytes(chunk))
            return str(found.meta["e_tag"] or "")

    def put(self, key: str, content: Path | bytes, *, fresh: bool = False, etag: str = "") -> bool:
        """Write an object and return True; with `fresh` only if there is none, with `etag` only over that one."""
        import obstore
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        mode: Any = "create" if fresh else {"e_tag": etag} if etag else "overwrite"
        with told(self.url, key):
            try:
                obstore.put(self._store, key, content, mode=mode)
            except (AlreadyExistsError, PreconditionError):
                return False
            except FileNotFoundError:  # what it should be written over is gone
                if not etag:
                    raise self._no_bucket() from None
                return False
        return True

    def copy(self, source: str, target: str) -> None:
        """Copy an object within the store."""
        import obstore

        with told(self.url, source):
            obstore.copy(self._store, source, target)

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; they may be gone already."""
        import obstore

        listed = list(keys)
        if listed:
            with told(self.url, listed[0]):
                try:
                    obstore.delete(self._store, listed)
                except FileNotFoundError:
                    if len(listed) > 1:
                        for key in listed:
                            self.delete([key])


def objects(url: str) -> Objects:
    """Return the objects below a URL, as the environment leads to them now."""
    return _kept(url, *(os.environ.get(name) for name in _LEADS))


@cache
def _kept(url: str, *_leads: str | None) -> Objects:
    return Objects(url)


@contextmanager
def told(url: str, key: str) -> Generator[None]:
    """Turn the store's errors into ours.

    Raises:
        StepError: `storage-denied`, `storage-unreachable`.
    """
    from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

    try:
        yield
    except (PermissionDeniedError, UnauthenticatedError) as error:
        message = f"access to {url}/{key} is denied"
        raise StepError(message, code="storage-denied", hint="look at the credentials and their rights") from error
    except FileNotFoundError:
        raise
    except BaseError as error:
        first = str(error).strip().partition("\n")[0][:400]
        message = f"the storage {url} cannot be used: {first}"
        hint = "look at the network, the bucket's name and the region, then run it again"
        raise StepError(message, code="storage-unreachable", hint=hint) from error
