"""What should be on AWS: roles, functions, log groups, state machines and schedules of a namespace's pipelines."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from anabranch.model.pipeline import Schedule
from anabranch.model.resource import Address, Resource, digest_of
from anabranch.platforms.aws import policies
from anabranch.platforms.aws.cells import memory_of
from anabranch.platforms.aws.cron import scheduler_cron
from anabranch.platforms.aws.kinds.form import canonical, mark_of
from anabranch.platforms.aws.kinds.function import PAYLOAD, function_form
from anabranch.platforms.aws.kinds.logs import logs_address, logs_form
from anabranch.platforms.aws.kinds.machine import machine_form
from anabranch.platforms.aws.kinds.role import role_form
from anabranch.platforms.aws.kinds.schedule import schedule_form
from anabranch.platforms.aws.machine import FUNCTION_SECONDS, SLACK, Compiler, Target, seconds_of
from anabranch.platforms.aws.names import MACHINE, ROLE, SCHEDULE, Arns, name_of, path_of
from anabranch.platforms.aws.weave import weave

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from anabranch.model.access import Access
    from anabranch.model.environment import Aws, Environment
    from anabranch.model.pipeline import Pipeline, Step, StepId
    from anabranch.model.resource import Owner
    from anabranch.ports import Built

_SHORT = 12


def artifact_folder(owner: Owner) -> str:
    """Return where a deployment's artifacts lie, below the environment's."""
    return f"{owner.project}/{owner.environment}/{owner.namespace}"


def function_name(owner: Owner, pipeline: str, step: StepId) -> str:
    """Return the function of a step, which is the name of its role, too."""
    return name_of(owner, pipeline, step)


def machine_name(owner: Owner, pipeline: str, part: int = 0) -> str:
    """Return the state machine of a pipeline, or of a part of it."""
    return name_of(owner, pipeline, *(["", str(part)] if part else []), longest=MACHINE)


def log_group(owner: Owner, pipeline: str) -> str:
    """Return the log group of a pipeline."""
    return f"{path_of(owner)}{pipeline}"


@dataclass(frozen=True, slots=True)
class Deploying:
    """One namespace of a project, on its way to AWS.

    Attributes:
        environment: where it is deployed.
        aws: its orchestrator.
        owner: whose it is.
        built: the project's code, and what it needs.
        root: of the namespace's datasets.
        reused: main's functions that run some of the steps, in full.
        access: returns what a step may touch in storage.
    """

    environment: Environment
    aws: Aws
    owner: Owner
    built: Built
    root: str
    reused: Mapping[StepId, str]
    access: Callable[[Step, Pipeline], Access]

    @property
    def arns(self) -> Arns:
        """Full names in the account."""
        return Arns.of(self.aws)

    def resources(self, pipelines: Mapping[str, tuple[Pipeline, bytes]]) -> list[Resource]:
        """Return what should be there, for pipelines with their definitions."""
        found: list[Resource] = []
        payload = self._artifact("payload", ".zip", self.built.payload, "the project's code")
        packages = {
            wanted: self._artifact("packages", ".zip", content, "what steps need")
            for wanted, content in sorted(self.built.packages.items())
        }
        if self.built.payload:
            found += [payload, *packages.values()]
        for name, (pipeline, definition) in sorted(pipelines.items()):
            told = self._artifact(name, ".json", definition, f"the definition of {name}")
            group = log_group(self.owner, name)
            form = canonical(logs_form(self.owner))
            logs = Resource(logs_address(self.owner, group), group, form, note=f"the logs of {name}")
            found += [told, logs]
            for step in pipeline.steps:
                if step.id not in self.reused:
                    needed = (payload.address, packages[step.needs.requirements].address, logs.address)
                    code = (payload, packages[step.needs.requirements])
                    found += self._function(step, pipeline, code, logs.name, needed)
            found += self._machines(pipeline, told)
            if isinstance(pipeline.trigger, Schedule) and self.owner.namespace == "main":
                found += self._schedule(pipeline, pipeline.trigger)
        return found

    def _function(
        self, step: Step, pipeline: Pipeline, code: tuple[Resource, Resource], logs: str, needed: tuple[Address, ...]
    ) -> list[Resource]:
        name = function_name(self.owner, pipeline.name, step.id)
        itself = self.arns.role(self.owner, name)
        folder = f"{self.environment.artifacts}/{artifact_folder(replace(self.owner, namespace='*'))}"
        places = policies.Places(self.environment.storage, folder, logs)
        access = self.access(step, pipeline)
        policy = policies.for_step(access, step.needs.permissions, self.arns, places, itself)
        trust = policies.assumed_by("lambda.amazonaws.com", self.arns, itself)
        role = self._resource("role", name, role_form(self.owner, trust, policy), note=f"what {step.id} may do")
        payload, packages = (f"{self.environment.artifacts}/{each.name}" for each in code)
        variables = {PAYLOAD: payload, "ANABRANCH_PACKAGES": packages, "ANABRANCH_ROLE": itself}
        timeout = min(FUNCTION_SECONDS, seconds_of(step) + SLACK)
        sizes = (memory_of(step, self.aws.memory), self.aws.scratch, timeout)
        form = function_form(
            self.owner,
            code[0].digest,
            role=itself,
            runtime=self.aws.runtime,
            logs=logs,
            variables=variables,
            sizes=sizes,
        )
        function = self._resource("function", name, form, (role.address, *needed), note=f"runs {step.id}")
        return [role, function]

    def _machines(self, pipeline: Pipeline, definition: Resource) -> list[Resource]:
        own = {step.id: function_name(self.owner, pipeline.name, step.id) for step in pipeline.steps}
        functions = {step: self.reused.get(step) or self.arns.function(name) for step, name in own.items()}
        branch = self.owner.namespace != "main"
        target = Target(
            functions,
            f"{self.environment.artifacts}/{definition.name}",
            self.root,
            self.owner.namespace,
            self.environment.storage if branch else "",
            policies.for_branch(self.root, self.arns) if branch else "",
        )

        def arn(part: int) -> str:
            return self.arns.machine(machine_name(self.owner, pipeline.name, part))

        machines = Compiler(pipeline, target, arn, mark_of(self.owner)).compile(weave(pipeline.upstream))
        role_name = name_of(self.owner, pipeline.name, "", "states", longest=ROLE)
        policy = policies.for_machine([*functions.values()], [arn(each.part) for each in machines[1:]], self.arns)
        trust = policies.assumed_by("states.amazonaws.com", self.arns)
        form = role_form(self.owner, trust, policy)
        role = self._resource("role", role_name, form, note=f"what the state machine of {pipeline.name} may do")
        called = tuple(Address(f"function/{name}") for step, name in own.items() if step not in self.reused)
        found = [role]
        for machine in reversed(machines):  # an inner machine is there before the one that starts it
            name = machine_name(self.owner, pipeline.name, machine.part)
            form = machine_form(machine.definition, self.arns.role(self.owner, role_name))
            inner = (Address(f"machine/{machine_name(self.owner, pipeline.name, each)}") for each in machine.inner)
            needed = (role.address, definition.address, *called, *inner)
            found.append(self._resource("machine", name, form, needed, note=f"starts the steps of {pipeline.name}"))
        return found

    def _schedule(self, pipeline: Pipeline, schedule: Schedule) -> list[Resource]:
        machine = machine_name(self.owner, pipeline.name)
        name = name_of(self.owner, pipeline.name, "", "schedule", longest=ROLE)
        trust = policies.assumed_by("scheduler.amazonaws.com", self.arns)
        policy = policies.for_schedule(self.arns.machine(machine))
        role = self._resource("role", name, role_form(self.owner, trust, policy), note="what the schedule may do")
        arn = self.arns.role(self.owner, name)
        cron = scheduler_cron(schedule.cron)
        form = schedule_form(self.owner, cron, schedule.timezone, self.arns.machine(machine), arn)
        needed = (role.address, Address(f"machine/{machine}"))
        own = name_of(self.owner, pipeline.name, longest=SCHEDULE)
        return [role, self._resource("schedule", own, form, needed, note=f"starts {pipeline.name}")]

    def _resource(
        self, kind: str, name: str, form: dict[str, object], depends: tuple[Address, ...] = (), note: str = ""
    ) -> Resource:
        return Resource(Address(f"{kind}/{name}"), name, canonical(form), depends, note=note)

    def _artifact(self, name: str, suffix: str, content: bytes, note: str) -> Resource:
        digest = digest_of(content).removeprefix("sha256:")[:_SHORT]
        file = f"{name}-{digest}{suffix}"
        where = f"{artifact_folder(self.owner)}/{file}"
        return Resource(Address(f"artifact/{file}"), where, content, shared=True, note=note)
