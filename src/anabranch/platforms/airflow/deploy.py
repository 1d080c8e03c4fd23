"""Resources of an Airflow deployment, and the `Platform` that holds them: files in two folders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from anabranch.model.resource import PAYLOAD, Address, Live, Resource, artifact, digest_of
from anabranch.platforms.airflow.dagfile import Files as Delivered
from anabranch.platforms.airflow.dagfile import dag_file, owner_of
from anabranch.platforms.airflow.names import dag_id, file_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from anabranch.model.environment import Airflow, Environment
    from anabranch.model.pipeline import Pipeline, StepId
    from anabranch.model.resource import Applied, Owner
    from anabranch.platforms.airflow.registry import AirflowRegistry
    from anabranch.ports import Files


def compile_pipelines(  # noqa: PLR0913 - what is deployed, where, and whose it is
    pipelines: Mapping[str, tuple[Pipeline, bytes]],
    payload: bytes,
    *,
    environment: Environment,
    airflow: Airflow,
    owner: Owner,
    reused: Mapping[StepId, str],
    root: str,
) -> list[Resource]:
    """Return what should be on Airflow.

    Args:
        pipelines: each with its definition, by name.
        payload: the project's code; empty where every step runs another's.
        environment: where it is deployed.
        airflow: its orchestrator.
        owner: whose it is.
        reused: the payloads of another deployment that run some of the steps.
        root: of the namespace's datasets; where it is not main's, Python steps must not write to main's.
    """
    found = [artifact(owner, *PAYLOAD, payload, "the project's code")] if payload else []
    own = f"{environment.artifacts}/{found[0].name}" if found else ""
    needed = tuple(each.address for each in found)
    protected = "" if root == environment.storage else environment.storage
    tags = tuple(f"{name}:{value}" for name, value in environment.tags)
    for name, (pipeline, definition) in sorted(pipelines.items()):
        told = artifact(owner, name, ".json", definition, f"the definition of {name}")
        dag = dag_id(owner, name)
        files = Delivered(
            own,
            f"{environment.artifacts}/{told.name}",
            airflow.python,
            root,
            reused,
            protected,
            dict(airflow.connections),
            tags,
        )
        content = dag_file(pipeline, owner, dag, files).encode()
        found += [
            told,
            Resource(Address(f"dag/{dag}"), file_of(owner, dag), content, (*needed, told.address), note=name),
        ]
    return found


@dataclass(frozen=True, slots=True)
class Leaving(Live):
    """A DAG that was found where nothing is wanted: what Airflow remembers of it, and its runs, go with its file."""


class AirflowFolder:
    """The `Platform` of one deployment."""

    def __init__(
        self,
        dags: Files,
        artifacts: Files,
        owner: Owner,
        registry: Callable[[], AirflowRegistry | None] = lambda: None,
    ) -> None:
        """Name its two folders.

        Args:
            dags: the DAG files of the Airflow.
            artifacts: where payloads are delivered.
            owner: whose deployment it is.
            registry: what Airflow remembers besides; asked only when all is to be deleted.
        """
        self._dags, self._artifacts, self._owner, self._registry = dags, artifacts, owner, registry

    def live(self, resources: Iterable[Resource], known: Iterable[Applied] = ()) -> dict[Address, Live]:
        """Return what is there now: see `Platform.live`."""
        wanted, found = list(resources), dict[Address, Live]()
        folder, artifacts = self._owner.path, {each.name for each in wanted if each.kind == "artifact"}
        for name in self._artifacts.list(folder):
            address = Address(f"artifact/{name.removeprefix(f'{folder}/')}")
            # None is ever pruned, and each is named by its content: one is read to see that nobody wrote over it.
            digest = digest_of(self._artifacts.read(name) or b"") if name in artifacts else ""
            found[address] = Live(address, name, digest, self._owner, shared=True)
        named = [*((each.address, each.name) for each in wanted), *((each.address, each.name) for each in known)]
        dags = {name for address, name in named if address.startswith("dag/")}
        for name in sorted({*self._dags.list(self._owner.project), *dags}):
            content = self._dags.read(name)
            if content is None or not name.endswith(".py"):
                continue
            owner = owner_of(content.decode(errors="replace"))
            if owner == self._owner or name in dags:
                address = Address(f"dag/{name.rpartition('/')[2].removesuffix('.py')}")
                found[address] = Live(address, name, digest_of(content), owner)
        return found if wanted else {**found, **dict(self._leaving(found))}

    def _leaving(self, found: Mapping[Address, Live]) -> Iterator[tuple[Address, Live]]:
        """Yield all DAGs as such that go for good, with those that only Airflow remembers."""
        if registry := self._registry():
            gone = {Address(f"dag/{dag}"): file_of(self._owner, dag) for dag in registry.dags()}
            there = {address: Live(address, name, digest_of(b""), self._owner) for address, name in gone.items()}
            for address, each in {**there, **found}.items():
                if address.startswith("dag/"):
                    yield address, Leaving(address, each.name, each.digest, each.owner)

    def create(self, resource: Resource) -> None:
        """Write a file."""
        self._files(resource.kind).write(resource.name, resource.content)

    def update(self, resource: Resource, live: Live) -> None:
        """Write a file over the one that is there."""
        self._files(live.address.partition("/")[0]).write(resource.name, resource.content)

    def delete(self, live: Live) -> None:
        """Delete a file. Of a DAG, Airflow hides what is left when it looks again, or forgets it as it is `Leaving`."""
        kind, _, name = live.address.partition("/")
        registry = self._registry() if isinstance(live, Leaving) else None
        if registry:
            registry.pause(name)
        self._files(kind).delete(live.name)
        if registry:
            registry.forget(name)

    def _files(self, kind: str) -> Files:
        return self._dags if kind == "dag" else self._artifacts
