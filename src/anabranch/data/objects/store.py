"""The few operations on an object store that we need, by obstore: S3, GCS and Azure alike."""

from __future__ import annotations

import json
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
NO_BUCKET = "no-bucket"
"""The code of the error where there is none."""
_RETRIES = {"max_retries": 5}
_LEADS = (
    *("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_REGION", "AWS_DEFAULT_REGION"),
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
    "STORAGE_EMULATOR_HOST",
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
        self._condition = "version" if url.startswith("gs://") else "e_tag"
        try:
            from obstore import store as stores
        except ImportError:
            message, hint = f"storage {url} needs the package obstore", "pip install 'anabranch[objects]'"
            raise StepError(message, code="not-installed", hint=hint) from None
        settings = _on_aws(self.url) if url.startswith("s3://") else _on_google() if url.startswith("gs://") else {}
        options = {**_TIMEOUT, "allow_http": settings.pop("allow_http", False)}
        connect: Any = stores.from_url  # its overloads tell the clouds apart by their options
        self._store: Any = connect(self.url, client_options=options, retry_config=_RETRIES, **settings)

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
                raise no_bucket(self.url) from None
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
        """Return an object's content, and what `put` names as the one to write over; None when there is none.

        That is its etag, and on GCS its generation: a write there can be made to depend on nothing else.

        Source: https://cloud.google.com/storage/docs/request-preconditions
        """
        import obstore

        with told(self.url, key):
            try:
                found = obstore.get(self._store, key)
                meta: Any = found.meta
                return bytes(found.bytes()), str(meta[self._condition] or "")
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
        """Write an object and return True: with `fresh` if there is none, with `etag` over the one that `get` told."""
        import obstore
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        mode: Any = "create" if fresh else {self._condition: etag} if etag else "overwrite"
        with told(self.url, key):
            try:
                obstore.put(self._store, key, content, mode=mode)
            except (AlreadyExistsError, PreconditionError):
                return False
            except FileNotFoundError:  # what it should be written over is gone
                if not etag:
                    raise no_bucket(self.url) from None
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


def _on_aws(url: str) -> dict[str, Any]:
    """Return where S3 is, and with whose credentials it is asked."""
    credentials = aws_credentials(url)
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL", "")
    config = {"endpoint": endpoint} if endpoint else {}
    if region or "region" not in getattr(credentials, "config", {}):
        config["region"] = region or "us-east-1"
    found = {} if credentials is None else {"credential_provider": credentials}
    return {**found, "config": config, "allow_http": endpoint.startswith("http://")}


def _on_google() -> dict[str, Any]:
    """Return where GCS is, if that is an emulator, which Google's own libraries find in this way too."""
    host = os.environ.get("STORAGE_EMULATOR_HOST", "")
    if not host:
        return {}
    nobody = {"client_email": "", "private_key": "", "private_key_id": "", "disable_oauth": True}
    account = json.dumps({**nobody, "gcs_base_url": host})
    return {"config": {"google_service_account_key": account}, "allow_http": host.startswith("http://")}


def objects(url: str) -> Objects:
    """Return the objects below a URL, as the environment leads to them now."""
    return _kept(url, *(os.environ.get(name) for name in _LEADS))


@cache
def _kept(url: str, *_leads: str | None) -> Objects:
    return Objects(url)


def no_bucket(url: str) -> StepError:
    """Return what is said where a key need not be there, and the store finds nothing all the same."""
    return StepError(f"there is no bucket for {url}", code=NO_BUCKET, hint="make the bucket, or correct its name")


@contextmanager
def told(url: str, key: str) -> Generator[None]:
    """Turn the store's errors into ours.

    Raises:
        StepError: `storage-denied`, `no-bucket`, `storage-unreachable`.
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
        if "NoSuchBucket" in str(error):
            raise no_bucket(url) from None
        first = str(error).strip().partition("\n")[0][:400]
        message = f"the storage {url} cannot be used: {first}"
        hint = "look at the network, the bucket's name and the region, then run it again"
        raise StepError(message, code="storage-unreachable", hint=hint) from error
