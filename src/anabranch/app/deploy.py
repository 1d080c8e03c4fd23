"""Deployment, wired: an environment's resources, its platform, its state; plan, apply, destroy, import, compile."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, assert_never

from anabranch.app.state import state_at
from anabranch.data import reports
from anabranch.data.access import access_of
from anabranch.data.objects import mirror
from anabranch.data.objects.files import ObjectFiles
from anabranch.data.objects.store import NO_BUCKET
from anabranch.deploy.apply import apply
from anabranch.deploy.payload import code_in, defined, definition, payload
from anabranch.deploy.places import at, places_of, same_places
from anabranch.deploy.plan import plan, same_plan
from anabranch.frontends.lock import read_locks
from anabranch.model.branch import MAIN
from anabranch.model.call import NativeCall
from anabranch.model.environment import Airflow, Aws, kept_there
from anabranch.model.errors import (
    ConflictError,
    Diagnostic,
    InvalidProject,
    NotFoundError,
    StepError,
    UsageError,
    closest,
)
from anabranch.model.graph import reachable
from anabranch.model.resource import Address, Owner
from anabranch.model.run import RunState, fold
from anabranch.platforms.airflow.orchestration import AirflowOrchestration
from anabranch.platforms.process.secrets import PROVIDERS
from anabranch.ports import Built
from anabranch.run.packages import packages, shipped
from anabranch.store.code import LIBRARIES
from anabranch.store.files import LocalFiles
from anabranch.worker import cache_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from anabranch.app.project import Project
    from anabranch.deploy.payload import Defined
    from anabranch.deploy.plan import Saved
    from anabranch.model.dataset import DatasetSpec
    from anabranch.model.environment import Environment
    from anabranch.model.pipeline import Pipeline, Step, StepId
    from anabranch.model.plan import Change, Plan
    from anabranch.model.resource import Resource
    from anabranch.model.run import Run
    from anabranch.ports import Files, Orchestration, Platform, StateStore
    from anabranch.store.code import CodeStore


class Deployment:
    """One namespace of a project in one environment."""

    def __init__(self, project: Project, environment: Environment, namespace: str = MAIN) -> None:
        """Use `Project.deployment`."""
        self._project, self.environment = project, environment
        self.owner = Owner(project.name, environment.name, namespace)
        self.state: StateStore = state_at(environment.state, self.owner, project.folder)
        self.orchestration = orchestration(environment, self.owner)
        self.platform: Platform = self.orchestration.platform
        self.code: CodeStore = project.code.running_with(self._libraries)

    def check(self, pipeline: str | None = None) -> tuple[Diagnostic, ...]:
        """Return what is wrong with the project, or one pipeline, and what of it the environment cannot do."""
        found = [*self._project.check(pipeline), *self._unknown_steps(), *self._unknown_providers()]
        for each in [self._project.pipeline(pipeline)] if pipeline else self._project.pipelines.values():
            found += self.orchestration.refusals(each)
        # What is wrong with the environment itself is told once, and not for each pipeline.
        return tuple({(each.code, each.message, each.place): each for each in found}.values())

    def preflight(self, pipeline: str | None = None) -> tuple[Diagnostic, ...]:
        """Return what `check` finds, and what the environment itself lacks: it is asked."""
        chosen = [self._project.pipeline(pipeline)] if pipeline else [*self._project.pipelines.values()]
        return (*self.check(pipeline), *self.orchestration.preflight(chosen))

    def _unknown_steps(self) -> Iterator[Diagnostic]:
        """Yield what the environment says of steps that there are none of."""
        known = {f"{each.name}.{step.id}" for each in self._project.pipelines.values() for step in each.steps}
        for name, _ in self.environment.chosen:
            if name not in known:
                message = f"environment `{self.environment.name}` chooses an engine for `{name}`, which is no step"
                yield Diagnostic("unknown-step", message, closest(name, known), self.environment.place)

    def _unknown_providers(self) -> Iterator[Diagnostic]:
        """Yield the environment's variables that are secrets of a provider which nobody knows."""
        for name, value in self.environment.variables:
            provider = value.removeprefix("secret://").partition("/")[0]
            if value.startswith("secret://") and provider not in PROVIDERS:
                message = f"environment `{self.environment.name}` has {name} from {value}, which nothing gives"
                hint = closest(provider, PROVIDERS)
                yield Diagnostic("missing-secret", message, hint, self.environment.place)

    def of_branch(self, namespace: str) -> Deployment:
        """Return the deployment of a branch beside this one."""
        return Deployment(self._project, self.environment, namespace)

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
        if problems := [each for each in self.orchestration.refusals(carved) if each.severity == "error"]:
            raise InvalidProject(problems)
        own = [step for step in carved.steps if step.id not in reused]
        built = self._built(code, own)
        told = {carved.name: (carved, self._definition(carved, code, built))}
        return [*self.orchestration.resources(told, built, root, reused)]

    def _definition(self, pipeline: Pipeline, code: str, built: Built) -> bytes:
        libraries = (self.code.tree(code).read(LIBRARIES) or b"").decode()
        return definition(pipeline, code, libraries, built.payload)

    def learned(self, name: str) -> Defined | None:
        """Return what a definition that was delivered tells; None where there is none.

        Where it was delivered from elsewhere its code is kept from now on: its payload holds it.
        """
        body = self.orchestration.artifact(name) if name else None
        if body is None:
            return None
        told = defined(body)
        if not self.code.has(told.code) and (payload := self.orchestration.artifact(told.payload)):
            self.code.adopt(told.code, code_in(payload), told.libraries)
        return told

    def _built(self, code: str, steps: Sequence[Step]) -> Built:
        """Return the project's code as one file, and what steps need besides."""
        if not steps:
            return Built()
        version = self.orchestration.interpreter
        wanted: dict[tuple[str, ...], list[str]] = {}
        for step in steps if version else ():
            wanted.setdefault(step.needs.requirements, []).append(step.id)
        locks = read_locks(self._project.root) if any(wanted) else {}
        asked = {tuple(each): key for key, each in locks.items()}
        cache = cache_folder() / "packages"
        made = {
            each: packages(each, version, cache, names, asked.get(each, "")) for each, names in sorted(wanted.items())
        }
        return Built(payload(self._files(code), self.orchestration.boot), made)

    def _libraries(self) -> str:
        """Return what steps find installed there, whoever deploys; nothing where the workers have their own.

        What a step requires by itself is in the lock file, which is part of the code.
        """
        version = self.orchestration.interpreter
        return "\n".join([f"python=={version}", *shipped()]) + "\n" if version else ""

    def _files(self, code: str) -> Iterator[tuple[str, bytes, bool]]:
        tree = self.code.tree(code)
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
        snapshot = self.code.snapshot()  # the locks are part of it
        built = self._built(snapshot, [step for each in bound for step in each.steps])
        told = {each.name: (each, self._definition(each, snapshot, built)) for each in bound}
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
            ConflictError: `environment-moved`, it was deployed to another place; `destroy` looks there.
        """
        if not destroy:
            same_places(self.environment, self.state.places())
        desired = [] if destroy else self.resources() if wanted is None else list(wanted)
        serial, applied = self.state.serial, self.state.applied()
        live = self._there(destroy=destroy).live(desired, [each for each in applied.values() if each.digest])
        targets = frozenset(target)
        if targets:
            known = {each.address for each in desired} | set(live) | set(applied)
            for name in targets:
                if name not in known:
                    message = f"there is no resource `{name}`"
                    raise NotFoundError(message, code="no-resource", hint=closest(name, list(known)))
        made = plan(desired, applied, live, self.owner, serial, frozenset(map(Address, adopt)), prune=destroy)
        return targeted(made, targets, desired) if targets else made

    def apply(
        self,
        told: Callable[[Change], None],
        agreed: Callable[[Plan], bool] = lambda _: True,
        saved: Saved | None = None,
        **settings: object,
    ) -> Plan:
        """Plan under the lock, and make the changes; return the plan.

        Args:
            told: hears of each change that was made.
            agreed: is shown the plan; nothing is changed when it says no.
            saved: the plan to make; anything else is refused.
            settings: as of `plan`.

        Raises:
            ConflictError: `state-locked`; `stale-plan`, something changed since the plan was saved.
        """
        with self.state.lock():
            made = self.plan(**settings)  # type: ignore[arg-type]
            if saved is not None:
                same_plan(made, saved)
            destroy = bool(settings.get("destroy"))
            if made.changes and agreed(made):
                if not destroy and (places := places_of(self.environment)) != self.state.places():
                    self.state.settle(places)
                apply(made, self._there(destroy=destroy), self.state, told)
            return made

    def _there(self, *, destroy: bool) -> Platform:
        """Return where the deployment is, or where it was made when it is to be destroyed."""
        was = at(self.environment, self.state.places()) if destroy else self.environment
        return self.platform if was == self.environment else orchestration(was, self.owner).platform

    def destroy(self, told: Callable[[Change], None]) -> Destroyed:
        """Delete all that was deployed, wherever it was made, and what its runs reported; the data stays.

        Args:
            told: hears of each change that was made.

        Raises:
            ConflictError: `still-running`, a run needs it; `in-use`, a branch does.
        """
        self._need_unused()
        was, platforms = at(self.environment, self.state.places()), [self._there(destroy=True)]
        made = self.apply(told, destroy=True)
        if was != self.environment:  # somebody may have moved what lay there, marks and all
            platforms.append(self.platform)
            made = replace(made, changes=(*made.changes, *self.apply(told, destroy=True).changes))
        own = self.owner.namespace == MAIN  # a branch's reports lie below its root, and go with it
        storages = {was.storage, self.environment.storage} if own else set[str]()
        mine = self.owner.path
        forgotten = sum(_forget(each, mine) for each in sorted(storages))
        there = [each for platform in platforms for each in platform.live([]).values()]
        return Destroyed(made, forgotten, tuple(each.address for each in there if each.owner == self.owner))

    def _need_unused(self) -> None:
        """Make sure that no run that goes on and no branch needs what would be deleted."""
        where = self.environment.name
        if self.owner.namespace == MAIN and (users := self.orchestration.dependants()):
            message = f"{where} is in use: {', '.join(users[:5])} of its branches run what main has delivered"
            raise ConflictError(
                message, code="in-use", hint=f"drop them first; see their names: anabranch branch list -e {where}"
            )
        for run in self.going_on():
            message = f"run {run.id} of `{run.pipeline}` goes on in {where}, and needs what it was started from"
            hint = f"wait for it, or stop it: anabranch runs cancel {run.id} -e {where}"
            raise ConflictError(message, code="still-running", hint=hint)

    def going_on(self) -> Iterator[Run]:
        """Yield the runs that go on: they run their next steps in the code that is there then."""
        for pipeline in self._project.pipelines.values():
            with suppress(NotFoundError, UsageError):  # it is not there, or nobody says where to ask
                newest = self.orchestration.runs(pipeline, self.environment.storage, lambda _: {}).newest(LOOKED_AT)
                yield from (run for run in filter(None, map(fold, newest)) if run.state is RunState.RUNNING)


LOOKED_AT = 5
"""Runs of a pipeline that are looked at, to see whether some go on: they take turns, so all before those have ended."""


@dataclass(frozen=True, slots=True)
class Destroyed:
    """What `destroy` did.

    Attributes:
        plan: the changes that were made.
        reports: how many runs' reports were deleted.
        left: what a listing still finds; nothing should be.
    """

    plan: Plan
    reports: int
    left: tuple[Address, ...]


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

    Of a secret the environment says where it is kept there. Jobs that exist already have no variables: nothing of ours
    runs there.
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
            secrets=tuple(kept_there(step.needs, secret)),
        )
        steps[i] = replace(step, needs=needs)
    return replace(pipeline, steps=tuple(steps)) if environment.variables else pipeline


def targeted(made: Plan, wanted: frozenset[str], desired: Sequence[Resource]) -> Plan:
    """Return the part of a plan that changes some resources and what they depend on."""
    starts = [Address(each) for each in wanted]
    known = {resource.address for resource in desired}
    depends = {each.address: tuple(known.intersection(each.depends)) for each in desired}
    chosen = reachable({**dict.fromkeys(starts, ()), **depends}, starts)
    return replace(made, changes=tuple(change for change in made.changes if change.address in chosen))


def _forget(storage: str, deployment: str) -> int:
    """Delete what a deployment's runs reported; where there is no bucket any more, there is nothing of it."""
    try:
        return reports.forget(mirror.local(storage), deployment)
    except StepError as error:
        if error.code != NO_BUCKET:
            raise
        return 0


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
