"""State machines: the comment in the definition says whose they are."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from anabranch.model.errors import NotFoundError, StepError
from anabranch.platforms.aws.kinds.form import form_of, live_of, owner_in
from anabranch.platforms.aws.kinds.patience import NEW_ROLE, patiently
from anabranch.platforms.aws.kinds.tags import spelled
from anabranch.platforms.aws.names import prefix_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from anabranch.model.resource import Live, Owner, Resource
    from anabranch.platforms.aws.client import AwsClient
    from anabranch.platforms.aws.kinds.form import Found
    from anabranch.platforms.aws.names import Arns

_DELETING = "StateMachineDeleting"


def machine_form(definition: str, role: str) -> dict[str, Any]:
    """Return a state machine's form."""
    return {"definition": definition, "role": role}


class Machines:
    """The state machines of an account."""

    def __init__(self, arns: Arns) -> None:
        """Name the account."""
        self._arns = arns

    def live(self, client: AwsClient, owner: Owner, names: Collection[str]) -> Iterator[Found]:
        """Yield what is there; those whose name could be the owner's are looked into."""
        prefix = prefix_of(owner)
        listed = client.pages("stepfunctions", "list_state_machines", "stateMachines")
        ours = [each for each in listed if each["name"] in names or each["name"].startswith(prefix)]
        for told in client.beside(
            lambda each: client.ask("stepfunctions", "describe_state_machine", stateMachineArn=each["stateMachineArn"]),
            ours,
        ):
            if told is not None and told.get("status") != "DELETING":
                name, whose = told["name"], _owner(told["definition"])
                if whose == owner or name in names:
                    yield live_of("machine", name, machine_form(told["definition"], told["roleArn"]), whose)

    def create(self, client: AwsClient, resource: Resource) -> None:
        """Make a state machine, once its role can be taken; the same call makes no second one."""
        tags = spelled("machine", form_of(resource)["tags"])
        told = {"name": resource.name, "tags": tags, **_settings(resource)}
        _put(client, "create_state_machine", resource.name, told)

    def update(self, client: AwsClient, resource: Resource) -> None:
        """Change a state machine; runs that have begun go on with the definition they began with."""
        told = {"stateMachineArn": self._arns.machine(resource.name), **_settings(resource)}
        _put(client, "update_state_machine", resource.name, told)

    def delete(self, client: AwsClient, live: Live) -> None:
        """Delete a state machine; it is there until its executions have ended, which they do at their next state."""
        with suppress(NotFoundError):
            arn = self._arns.machine(live.name)
            client.ask("stepfunctions", "delete_state_machine", stateMachineArn=arn)


def _put(client: AwsClient, operation: str, name: str, told: dict[str, Any]) -> None:
    """Make or change a state machine, once its role can be taken, and one of its name is gone.

    Raises:
        ConflictError: as `AwsClient.ask`.
        StepError: the same; `aws-slow`, one of its name is still being deleted.
    """
    hindered = re.compile(f"{NEW_ROLE.pattern}|{_DELETING}")
    try:
        patiently(lambda: client.ask("stepfunctions", operation, **told), hindered)
    except StepError as error:
        if _DELETING not in error.message:
            raise
        message = f"AWS is still deleting the state machine {name}: an execution may go on until its next state"
        raise StepError(
            message, code="aws-slow", hint="wait until it has ended, or stop it; then apply again"
        ) from None


def _settings(resource: Resource) -> dict[str, str]:
    form = form_of(resource)
    return {"definition": form["definition"], "roleArn": form["role"]}


def _owner(definition: str) -> Owner | None:
    try:
        told: Any = json.loads(definition)
    except ValueError:
        return None
    return owner_in(str(told.get("Comment", ""))) if isinstance(told, dict) else None
