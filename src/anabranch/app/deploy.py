"""Deployment, wired: an environment's resources, its platform, its state; plan, apply, destroy, import, compile."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, assert_never

from anabranch.data.access import access_of
from anabranch.data.objects import mirror
from anabranch.data.objects.files import ObjectFiles
from anabranch.data.objects.store import objects
from anabranch.deploy.apply import apply
from anabranch.deploy.payload import definition, payload
from anabranch.deploy.plan import plan, same_plan
from anabranch.model.branch import MAIN
from anabranch.model.call import NativeCall
from anabranch.model.environment import Airflow, Aws
from anabranch.model.errors import InvalidProject, NotFoundError, closest
from anabranch.model.resource import Address, Owner
from anabranch.platforms.airflow.orchestration import AirflowOrchestration
from anabranch.ports import Built
from anabranch.run.packages import packages
from anabranch.store.database import Database
from anabranch.store.deployments import SqliteStateStore
from anabranch.store.files import LocalFiles
from anabranch.store.shared import SharedStateStore
from anabranch.worker import cache_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from anabranch.app.project import Project
    from anabranch.model.dataset import DatasetSpec
    from anabranch.model.environment import Environment
    from anabranch.model.errors import Diagnostic
    from anabranch.model.pipeline import Pipeline, Step, StepId
    from anabranch.model.plan import Change, Plan
    from anabranch.model.resource import Resource
    from anabranch.ports import Files, Orchestration, Platform, StateStore
    from anabranch.store.code import CodeStore


class Deployment:
    """One namespace of a project in one environment."""

    def __init__(self, project: Project, environment: Environment, code: CodeStore, namespace: str = MAIN) -> None:
        """Use `Project.deployment`."""
        self._project, self.environment, self._code = project, environment, code
        self.owner = Owner(project.name, environment.name, namespace)
        self.state: StateStore = SqliteStateStore(Database(project.folder), environment.name, namespace)
        if environment.state:
            key = f"{project.name}/{environment.name}/{namespace}.json"
            self.state = SharedStateStore(objects(environment.state), key)
        self.orchestration = orchestration(environment, self.owner)
        self.platform: Platform = self.orchestration.platform

    def check(self, pipeline: str | None = None) -> tuple[Diagnostic, ...]:
        """Return what is wrong with the project, or one pipeline, and what of it the environment cannot do."""
        found = list(self._project.check(pipeline))
        for each in [self._project.pipeline(pipeline)] if pipeline else self._project.pipelines.values():
            found += self.orchestration.refusals(each)
        # What is wrong with the environment itself is told once, and not for each pipeline.
        return tuple({(each.code, each.message, each.place): each for each in found}.values())

    def of_branch(self, namespace: str) -> Deployment:
        """Return the deployment of a branch beside this one."""
        return Deployment(self._project, self.environment, self._code, namespace)

    def branch_resources(self, carved: Pipeline, root: str, code: str, reused: Mapping[StepId, str]) -> list[Resource]:
        """Return what a branch needs: its own code, one orchestration, and of main what it calls.

        Args:
            carved: the branch's pipeline.
            root: of the branch's storage, as the workers see it.
            code: the digest of the snapshot that it runs.
            reused: the payload of main that runs a step which has not changed itself, by step.

        Raises:
            InvalidProject: with what of it the environment cannot do.
        """
        carved = replace(carved, datasets=tuple(map(as_workers_see, carved.datasets)))
        if problems := self.orchestration.refusals(carved):
            raise InvalidProject(problems)
        own = [step for step in carved.steps if step.id not in reused]
        told = {carved.name: (carved, definition(carved, code))}
        return [*self.orchestration.resources(told, self._built(code, own), root, reused)]

    def _built(self, code: str, steps: Sequence[Step]) -> Built:
        """Return the project's code as one file, and what steps need besides."""
        if not steps:
            return Built()
        version = self.orchestration.interpreter
        wanted = {step.needs.requirements for step in steps} if version else set[tuple[str, ...]]()
        made = {each: packages(each, version, cache_folder() / "packages") for each in sorted(wanted)}
        return Built(payload(self._files(code), self.orchestration.boot), made)

    def _files(self, code: str) -> Iterator[tuple[str, bytes, bool]]:
        tree = self._code.tree(code)
        return ((name, tree.read(name) or b"", tree.executable(name)) for name in tree.names())

    def resources(self) -> list[Resource]:
        """Return what should be on the platform; nothing outside of this machine is asked.

        Raises:
            InvalidProject: with all that `check` finds.
        """
        errors = [each for each in self.check() if each.severity == "error"]
        if errors:
            raise InvalidProject(errors)
        locked = [self._project.locked(each) for each in list(self._project.pipelines.values())]
        bound = [with_variables(each, self.environment) for each in locked]
        snapshot = self._code.snapshot()  # the locks are part of it
        told = {each.name: (each, definition(each, snapshot)) for each in bound}
        built = self._built(snapshot, [step for each in bound for step in each.steps])
        return [*self.orchestration.resources(told, built, self.environment.storage, {})]

    def plan(
        self,
        target: Iterable[str] = (),
        *,
        destroy: bool = False,
        adopt: Iterable[str] = (),
        wanted: Sequence[Resource] | None = None,
    ) -> Plan:
        """Return what would make the platform what the project wants.

        Args:
            target: only these resources, by address, and what they depend on.
            wanted: what should be there; what the project says by default.
            destroy: plan for nothing to be left.
            adopt: addresses of what is there and not ours, to be taken over.

        Raises:
            InvalidProject: `foreign-object`, or all that `check` finds.
            NotFoundError: `no-resource`, of a target.
        """
        desired = [] if destroy else self.resources() if wanted is None else list(wanted)
        serial, applied = self.state.serial, self.state.applied()
        live = self.platform.live(desired)
        targets = frozenset(target)
        if targets:
            known = {each.address for each in desired} | set(live) | set(applied)
            for name in targets:
                if name not in known:
                    message = f"there is no resource `{name}`"
                    raise NotFoundError(message, code="no-resource", hint=closest(name, list(known)))
        made = plan(desired, applied, live, self.owner, serial, frozenset(map(Address, adopt)), prune=destroy)
        return targeted(made, targets) if targets else made

    def apply(
        self,
        told: Callable[[Change], None],
        agreed: Callable[[Plan], bool] = lambda _: True,
        digest: str = "",
        **settings: object,
    ) -> Plan:
        """Plan under the lock, and make the changes; return the plan.

        Args:
            told: hears of each change that was made.
            agreed: is shown the plan; nothing is changed when it says no.
            digest: of a saved plan; anything else is refused.
            settings: as of `plan`.

        Raises:
            ConflictError: `state-locked`; `stale-plan`, something changed since the plan was saved.
        """
        with self.state.lock():
            made = self.plan(**settings)  # type: ignore[arg-type]
            if digest:
                same_plan(made, digest)
            if made.changes and agreed(made):
                apply(made, self.platform, self.state, told)
            return made


def orchestration(environment: Environment, owner: Owner) -> Orchestration:
    """Return an environment's orchestrator, as one namespace of a project uses it."""
    match environment.orchestrator:
        case Airflow() as airflow:
            dags, artifacts = files_at(airflow.dags), files_at(environment.artifacts)
            return AirflowOrchestration(environment, airflow, owner, dags, artifacts)
        case Aws() as aws:
            from anabranch.platforms.aws.orchestration import AwsOrchestration

            return AwsOrchestration(environment, aws, owner, access_of)
        case _:
            assert_never(environment.orchestrator)


def files_at(place: str) -> Files:
    """Return the files of a folder, or below a URL."""
    return ObjectFiles(place) if mirror.is_url(place) else LocalFiles(Path(place))


def as_workers_see(spec: DatasetSpec) -> DatasetSpec:
    """Return a dataset bound to main's storage itself, and not to the folder that mirrors it on this machine."""
    return (
        spec
        if spec.bound is None
        else replace(spec, bound=replace(spec.bound, root=mirror.shown(Path(spec.bound.root))))
    )


def with_variables(pipeline: Pipeline, environment: Environment) -> Pipeline:
    """Return the pipeline whose steps have the environment's variables; a step's own come first.

    Jobs that exist already have none: nothing of ours runs there.
    """
    plain = [(key, value) for key, value in environment.variables if not value.startswith("secret://")]
    secret = [(key, value) for key, value in environment.variables if value.startswith("secret://")]
    steps = list(pipeline.steps)
    for i, step in enumerate(steps):
        if isinstance(step.call, NativeCall):
            continue
        own = {name for name, _ in (*step.needs.env, *step.needs.secrets)}
        needs = replace(
            step.needs,
            env=(*step.needs.env, *(pair for pair in plain if pair[0] not in own)),
            secrets=(*step.needs.secrets, *(pair for pair in secret if pair[0] not in own)),
        )
        steps[i] = replace(step, needs=needs)
    return replace(pipeline, steps=tuple(steps)) if environment.variables else pipeline


def targeted(made: Plan, wanted: frozenset[str]) -> Plan:
    """Return the part of a plan that changes some resources and what they depend on."""
    chosen: set[str] = set(wanted)
    for change in reversed(made.changes):
        if change.address in chosen:
            resource = getattr(change, "resource", None)
            chosen |= set(resource.depends) if resource else set()
    return replace(made, changes=tuple(change for change in made.changes if change.address in chosen))


def environment_of(project: Project, name: str) -> Environment:
    """Return an environment by name.

    Raises:
        NotFoundError: `no-environment`.
    """
    known = project.file.environments
    if name not in known:
        message = f"the project has no environment `{name}`"
        hint = closest(name, known) if known else "describe it in anabranch.yaml, under environments"
        raise NotFoundError(message, code="no-environment", hint=hint)
    return known[name]
