"""Where a deployment lies: told from the environment, remembered in the state, and looked at when it has moved."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, assert_never

from anabranch.model.environment import Airflow, Aws
from anabranch.model.errors import ConflictError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anabranch.model.environment import Environment


def places_of(environment: Environment) -> dict[str, str]:
    """Return where an environment's deployments lie, by what each place is for; `at` is its inverse."""
    shared = {"storage": environment.storage, "artifacts": environment.artifacts}
    match environment.orchestrator:
        case Airflow(dags):
            return {"dags": dags, **shared}
        case Aws(account, region):
            return {"account": account, "region": region, **shared}
        case _:
            assert_never(environment.orchestrator)


def at(environment: Environment, places: Mapping[str, str]) -> Environment:
    """Return an environment as it was when it had these places; as it is where they say nothing."""
    orchestrator = environment.orchestrator
    if "dags" in places:
        old = orchestrator if isinstance(orchestrator, Airflow) else Airflow("")
        orchestrator = replace(old, dags=places["dags"])
    elif "account" in places:
        was = orchestrator if isinstance(orchestrator, Aws) else Aws("", "")
        orchestrator = replace(was, account=places["account"], region=places["region"])
    storage = places.get("storage", environment.storage)
    artifacts = places.get("artifacts", environment.artifacts)
    return replace(environment, orchestrator=orchestrator, storage=storage, artifacts=artifacts)


def same_places(environment: Environment, remembered: Mapping[str, str]) -> None:
    """Make sure that a deployment is still where it was made.

    A folder that is not there any more is no place where anything could be left.

    Raises:
        ConflictError: `environment-moved`, with what lies where.
    """
    now = places_of(environment)
    for name, old in sorted(remembered.items()):
        if now.get(name, "") == old or (old.startswith("/") and not Path(old).exists()):
            continue
        new = f"is now {now[name]}" if name in now else "is no more"
        message = f"environment `{environment.name}` was deployed with {name} {old}, which {new}"
        hint = f"a mistake? Put {old} back. Else anabranch destroy -e {environment.name}"
        hint += " deletes what is at the old place (the data stays); then apply"
        raise ConflictError(message, code="environment-moved", hint=hint, place=environment.place)
