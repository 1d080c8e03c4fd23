"""Resources: what a deployment makes on a platform, what is there already, and whose it is."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import NewType

Address = NewType("Address", str)
"""A resource's name in a deployment: its kind and its own name, such as `dag/flights.daily`."""


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose a resource is; it is marked on the platform too, so that losing the state loses nothing."""

    project: str
    environment: str
    namespace: str = "main"

    @property
    def path(self) -> str:
        """What names the deployment, as reports and the folders of its artifacts have it: `flights/prod/main`."""
        return f"{self.project}/{self.environment}/{self.namespace}"


@dataclass(frozen=True)
class Resource:
    """One object that should be on a platform.

    Attributes:
        address: its name in the deployment.
        name: its name on the platform.
        content: what it is made of; recorded as a digest only.
        depends: what must be there before it.
        shared: its name is its content's: it is never changed, and runs that have begun may need it.
        note: what it is, for people.
    """

    address: Address
    name: str
    content: bytes = field(repr=False)
    depends: tuple[Address, ...] = ()
    shared: bool = False
    note: str = ""

    @property
    def kind(self) -> str:
        """What it is: the first part of its address."""
        return self.address.partition("/")[0]

    @cached_property
    def digest(self) -> str:
        """What identifies its content: packages have 150 MB, which are read once."""
        return digest_of(self.content)


@dataclass(frozen=True, slots=True)
class Live:
    """One object as it is on a platform now. Without an owner it carries no mark of ours; see `Resource.shared`.

    Attributes:
        address: as of `Resource`.
        name: as of `Resource`.
        digest: of what it is made of.
        owner: whose it is.
        shared: as of `Resource`.
        differs: what of it is not as its resource wants it, `content` or `tags`, where the platform tells these apart.
    """

    address: Address
    name: str
    digest: str
    owner: Owner | None = None
    shared: bool = False
    differs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Applied:
    """One object as the last `apply` left it; `pending` where that was cut off, and may have changed it."""

    address: Address
    name: str
    digest: str
    depends: tuple[Address, ...] = ()
    pending: bool = False


def digest_of(content: bytes) -> str:
    """Return what identifies content.

    >>> digest_of(b"")[:14]
    'sha256:e3b0c44'
    """
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


PAYLOAD = ("payload", ".pyz")
"""How the name of a payload begins and ends."""
_SHORT = 12


def artifact(owner: Owner, name: str, suffix: str, content: bytes, note: str) -> Resource:
    """Return an artifact of a deployment, called by what it is and what is in it, wherever it is delivered."""
    digest = digest_of(content)
    file = _named(name, suffix, digest)
    made = Resource(Address(f"artifact/{file}"), f"{owner.path}/{file}", content, shared=True, note=note)
    vars(made)["digest"] = digest  # it is known already
    return made


def artifact_name(name: str, suffix: str, content: bytes) -> str:
    """Return what an artifact is called.

    >>> artifact_name(*PAYLOAD, b"")
    'payload-e3b0c44298fc.pyz'
    """
    return _named(name, suffix, digest_of(content))


def _named(name: str, suffix: str, digest: str) -> str:
    return f"{name}-{digest.removeprefix('sha256:')[:_SHORT]}{suffix}"


def definition_in(text: str, pipeline: str) -> str:
    """Return the artifact that holds a pipeline's definition, by what an orchestrator is told; empty where none is.

    >>> definition_in('{"definition": "s3://a/shop/daily-0123456789ab.json"}', "daily")
    'daily-0123456789ab.json'
    """
    found = re.search(rf"(?<=/){re.escape(pipeline)}-[0-9a-f]{{{_SHORT}}}\.json", text)
    return found[0] if found else ""
