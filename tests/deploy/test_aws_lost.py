"""Apply on an AWS whose answers are lost: a call was made, nobody heard so, and it is made again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ConnectionClosedError
from botocore.httpsession import URLLib3Session
from tests.deploy.test_aws import (
    ALONE,
    CHANGING,
    TRUST,
    TWO,
    Throttle,
    cloud,
    deployed,
    prepared,
    pytestmark,
    session,
    silently,
)
from tests.engines.account import client, listing

from anabranch.model.errors import ConflictError, InvalidProject

if TYPE_CHECKING:
    from pathlib import Path

    from anabranch.app.deploy import Deployment

__all__ = ["cloud", "pytestmark"]


class Lost:
    """A network on which the answer to the first call of one kind does not arrive."""

    def __init__(self, deployment: Deployment, call: str = "") -> None:
        self.call, self.made = call, list[str]()
        session(deployment).events.register("before-send", self.send)

    def send(self, *, event_name: str, request: Any, **_: Any) -> None:
        call = event_name.rpartition(".")[2]
        if call.startswith(CHANGING):
            self.made.append(call)
            if call == self.call and self.made.count(call) == 1:
                URLLib3Session().send(request)
                raise ConnectionClosedError(endpoint_url=request.url)


@pytest.mark.apart
@pytest.mark.parametrize("form", [{"pipeline": ALONE}, {"pipeline": TWO, "engines": "{shell: glue}"}])
def test_an_answer_that_is_lost_is_no_matter(tmp_path: Path, form: dict[str, str]) -> None:
    """From nothing to a pipeline, to another form of it with other tags, to nothing: once for each kind of call."""
    states: list[dict[str, Any]] = [
        form,
        {**form, "step": "renamed", "memory": 512, "tags": "{squad: a}"},
        {"destroy": True, **form},
    ]
    whole = tmp_path / "whole"
    whole.mkdir()
    calls: list[set[str]] = []
    for state in states:
        deployment, settings = prepared(whole, state)
        network = Lost(deployment)
        silently(deployment, **settings)
        calls.append(set(network.made))
    for call in sorted(set.union(*calls)):
        folder = tmp_path / call
        folder.mkdir()
        lost = False
        for state, made in zip(states, calls, strict=True):
            deployment, settings = prepared(folder, state)
            network = Lost(deployment, "" if lost else call)
            silently(deployment, **settings)
            assert (call in made) == (call in network.made)
            lost = lost or call in made
            assert deployment.plan(**settings).changes == (), call
        assert lost
        assert listing("some/shop") == {}, call


def test_a_change_that_is_still_under_way_is_awaited_and_made_again(tmp_path: Path) -> None:
    """So Lambda answers the second time when its first answer was lost."""
    deployment = deployed(tmp_path)
    silently(deployment)
    changed = deployed(tmp_path, memory=512)
    busy = Throttle(1, b'{"Message": "An update is in progress"}', 409, "ResourceConflictException")
    session(changed).events.register("before-send.lambda.UpdateFunctionConfiguration", busy)
    silently(changed)
    assert changed.plan().changes == ()
    silently(changed, destroy=True)


def test_what_somebody_made_between_plan_and_call_is_left_alone_and_told(tmp_path: Path) -> None:
    deployment = deployed(tmp_path)
    hand = client()

    def somebody(*, request: Any, **_: Any) -> None:
        if f"RoleName={name}&" in (request.body if isinstance(request.body, str) else request.body.decode()):
            hand.ask("iam", "create_role", RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))

    name = "shop--prod--one--after"
    session(deployment).events.register("before-send.iam.CreateRole", somebody)
    try:
        with pytest.raises(ConflictError, match="something of that name is there") as told:
            silently(deployment)
        assert told.value.code == "aws-there"
        with pytest.raises(InvalidProject, match=f"role {name} is there already and was not made by anabranch"):
            deployed(tmp_path).plan()
        (role,) = [each for each in hand.pages("iam", "list_roles", "Roles") if each["RoleName"] == name]
        assert role["Path"] == "/"
    finally:
        hand.ask("iam", "delete_role", RoleName=name)
    silently(deployed(tmp_path))
    silently(deployed(tmp_path), destroy=True)
    assert listing("some") == {}
