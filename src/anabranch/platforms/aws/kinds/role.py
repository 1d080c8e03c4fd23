"""IAM roles: their path says whose they are, and one inline policy says all that they may do."""

from __future__ import annotations

import json
from binascii import a2b_qp
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from anabranch.model.errors import NotFoundError
from anabranch.model.resource import Address
from anabranch.platforms.aws.kinds.form import Found, form_of
from anabranch.platforms.aws.kinds.tags import spelled
from anabranch.platforms.aws.names import path_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from anabranch.model.resource import Live, Owner, Resource
    from anabranch.platforms.aws.client import AwsClient
    from anabranch.platforms.aws.policies import Document

POLICY = "anabranch"
"""The name of the inline policy."""


def role_form(owner: Owner, trust: Document, policy: Document) -> dict[str, Any]:
    """Return a role's form."""
    return {"path": path_of(owner), "trust": trust, "policy": policy, "others": []}


def document(quoted: str) -> Any:
    """Return a policy that IAM tells percent-encoded.

    Quoted-printable is the same code with another sign, and Python reads it in C: a thousand roles have 7 MB of it.

    >>> document("%7B%22a%22%3A%20%22%C3%A9%3D1%2525=%22%7D")
    {'a': 'é=1%25='}
    """
    return json.loads(a2b_qp(quoted.replace("=", "%3D").replace("%", "=")))


class Roles:
    """The roles of an account."""

    def live(self, client: AwsClient, owner: Owner, names: Collection[str]) -> Iterator[Found]:
        """Yield what is there; whole pages of roles come with their policies."""
        path = path_of(owner)
        roles = client.pages("iam", "get_account_authorization_details", "RoleDetailList", Filter=["Role"])
        for role in roles:
            name, ours = role["RoleName"], role["Path"] == path
            if ours or name in names:
                inline = {each["PolicyName"]: each["PolicyDocument"] for each in role.get("RolePolicyList", ())}
                policy = inline.pop(POLICY, None)
                attached = [each["PolicyArn"] for each in role.get("AttachedManagedPolicies", ())]
                form = {
                    "path": role["Path"],
                    "trust": document(role["AssumeRolePolicyDocument"]),
                    "policy": policy and document(policy),
                    "others": sorted([*inline, *attached]),
                }
                tags = {each["Key"]: each["Value"] for each in role.get("Tags", ())}
                yield Found(Address(f"role/{name}"), name, form, owner if ours else None, tags)

    def create(self, client: AwsClient, resource: Resource) -> None:
        """Make a role, then its policy; cut off between, it is a role that lacks its policy, and is updated."""
        form = form_of(resource)
        trust = _text(form["trust"])
        client.ask(
            "iam",
            "create_role",
            RoleName=resource.name,
            Path=form["path"],
            AssumeRolePolicyDocument=trust,
            Tags=spelled("role", form["tags"]),
        )
        self._allow(client, resource)

    def update(self, client: AwsClient, resource: Resource) -> None:
        """Give a role what it should have, and take away what somebody else gave it."""
        form = form_of(resource)
        client.ask("iam", "update_assume_role_policy", RoleName=resource.name, PolicyDocument=_text(form["trust"]))
        self._allow(client, resource)
        self._strip(client, resource.name, keep=POLICY)

    def delete(self, client: AwsClient, live: Live) -> None:
        """Delete a role, with whatever is attached to it."""
        with suppress(NotFoundError):
            self._strip(client, live.name)
            client.ask("iam", "delete_role", RoleName=live.name)

    def _allow(self, client: AwsClient, resource: Resource) -> None:
        policy = _text(form_of(resource)["policy"])
        client.ask("iam", "put_role_policy", RoleName=resource.name, PolicyName=POLICY, PolicyDocument=policy)

    def _strip(self, client: AwsClient, name: str, keep: str = "") -> None:
        inline = client.ask("iam", "list_role_policies", RoleName=name)["PolicyNames"]
        for each in inline:
            if each != keep:
                with suppress(NotFoundError):  # the role itself is still to be deleted
                    client.ask("iam", "delete_role_policy", RoleName=name, PolicyName=each)
        for attached in client.ask("iam", "list_attached_role_policies", RoleName=name)["AttachedPolicies"]:
            with suppress(NotFoundError):
                client.ask("iam", "detach_role_policy", RoleName=name, PolicyArn=attached["PolicyArn"])


def _text(document: Document) -> str:
    import json

    return json.dumps(document, separators=(",", ":"))
