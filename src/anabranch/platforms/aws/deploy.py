"""What should be on AWS: roles, functions, log groups, state machines and triggers of a namespace's pipelines."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from anabranch.model.access import done
from anabranch.model.call import NativeCall
from anabranch.model.errors import Diagnostic, InvalidProject
from anabranch.model.pipeline import Schedule
from anabranch.model.resource import PAYLOAD, Address, Resource, artifact
from anabranch.platforms.aws import policies, sizes
from anabranch.platforms.aws.cells import engine_of
from anabranch.platforms.aws.cron import scheduler_cron
from anabranch.platforms.aws.glue import spark_arguments
from anabranch.platforms.aws.invoke import Invocation, Native, invocation
from anabranch.platforms.aws.kinds.form import canonical, mark_of
from anabranch.platforms.aws.kinds.function import PAYLOAD as PAYLOAD_VARIABLE
from anabranch.platforms.aws.kinds.function import function_form
from anabranch.platforms.aws.kinds.job import job_form
from anabranch.platforms.aws.kinds.logs import logs_address, logs_form
from anabranch.platforms.aws.kinds.machine import machine_form
from anabranch.platforms.aws.kinds.role import role_form
from anabranch.platforms.aws.kinds.rule import rule_form
from anabranch.platforms.aws.kinds.schedule import schedule_form
from anabranch.platforms.aws.kinds.tags import CELLS as TAGGED
from anabranch.platforms.aws.kinds.tags import wanted_tags
from anabranch.platforms.aws.limits import (
    FUNCTION_SECONDS,
    GLUE,
    LAMBDA,
    SHELL,
    SHELLS,
    SLACK,
    WORKERS,
    memory_of,
    seconds_of,
    workers_of,
)
from anabranch.platforms.aws.machine import DEFINITION, Compiler, Target
from anabranch.platforms.aws.names import MACHINE, ROLE, SCHEDULE, Arns, name_of, path_of
from anabranch.platforms.aws.native import expressions
from anabranch.platforms.aws.weave import weave

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from anabranch.model.access import Access
    from anabranch.model.environment import Aws, Environment
    from anabranch.model.pipeline import Pipeline, Step, StepId
    from anabranch.model.resource import Owner
    from anabranch.platforms.aws.machine import Machine
    from anabranch.ports import Built


def function_name(owner: Owner, pipeline: str, step: StepId) -> str:
    """Return the function of a step, which is the name of its role, too."""
    return name_of(owner, pipeline, step)


def machine_name(owner: Owner, pipeline: str, part: int = 0) -> str:
    """Return the state machine of a pipeline, or of a part of it."""
    return name_of(owner, pipeline, *(["", str(part)] if part else []), longest=MACHINE)


def log_group(owner: Owner, pipeline: str) -> str:
    """Return the log group of a pipeline."""
    return f"{path_of(owner)}{pipeline}"


def address_of(arn: str) -> Address:
    """Return the address of a function or a job, by its full name.

    >>> address_of("arn:aws:lambda:eu-west-1:123456789012:function:clean")
    'function/clean'
    """
    return Address(arn.rpartition(":")[2] if ":glue:" in arn else f"function/{arn.rpartition(':')[2]}")


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
        script: how Glue enters a payload.
        problems: what turned out to be larger than AWS takes.
    """

    environment: Environment
    aws: Aws
    owner: Owner
    built: Built
    root: str
    reused: Mapping[StepId, str]
    access: Callable[[Step, Pipeline], Access]
    script: bytes = b""
    problems: list[Diagnostic] = field(default_factory=list)

    @property
    def arns(self) -> Arns:
        """Full names in the account."""
        return Arns.of(self.aws)

    @property
    def _is_branch(self) -> bool:
        return self.owner.namespace != "main"

    @property
    def tags(self) -> dict[str, str]:
        """What is on all that takes tags."""
        return wanted_tags(self.owner, dict(self.environment.tags))

    def resources(self, pipelines: Mapping[str, tuple[Pipeline, bytes]]) -> list[Resource]:
        """Return what should be there, for pipelines with their definitions.

        Raises:
            InvalidProject: `limit`, something is larger than AWS takes.
        """
        found: list[Resource] = []
        payload = artifact(self.owner, *PAYLOAD, self.built.payload, "the project's code")
        packages = {
            wanted: artifact(self.owner, "packages", ".zip", content, "what steps need")
            for wanted, content in sorted(self.built.packages.items())
        }
        script = artifact(self.owner, "glue", ".py", self.script, "how Glue enters the payload")
        digest = payload.digest
        runs = [self.job_of(step, pipeline) for pipeline, _ in pipelines.values() for step in pipeline.steps]
        if any(":lambda:" in each for each in runs) and (
            problems := [*sizes.code(self.built, self.environment, self.aws.scratch)]
        ):
            raise InvalidProject(problems)
        if self.built.payload:
            found += [payload, *packages.values()]
        if any(self._is_job(step, pipeline) for pipeline, _ in pipelines.values() for step in pipeline.steps):
            found.append(script)
        for name, (pipeline, definition) in sorted(pipelines.items()):
            told = artifact(self.owner, name, ".json", definition, f"the definition of {name}")
            group = log_group(self.owner, name)
            form = canonical({**logs_form(), "tags": self.tags})
            logs = Resource(logs_address(self.owner, group), group, form, note=f"the logs of {name}")
            found += [told, logs]
            for step in pipeline.steps:
                if step.id not in self.reused and not isinstance(step.call, NativeCall):
                    code = (payload, packages[step.needs.requirements])
                    if self._is_job(step, pipeline):
                        found += self._job(step, pipeline, (*code, script), logs)
                    else:
                        found += self._function(step, pipeline, code, digest, logs)
            found += self._machines(pipeline, told)
            if not self._is_branch:
                found += self._trigger(pipeline)
        if self.problems:
            raise InvalidProject(self.problems)
        return found

    def _function(
        self, step: Step, pipeline: Pipeline, code: tuple[Resource, Resource], digest: str, logs: Resource
    ) -> list[Resource]:
        name = function_name(self.owner, pipeline.name, step.id)
        role, itself = self._role(step, pipeline, "lambda.amazonaws.com", logs)
        payload, packages = (f"{self.environment.artifacts}/{each.name}" for each in code)
        variables = {PAYLOAD_VARIABLE: payload, "ANABRANCH_PACKAGES": packages, "ANABRANCH_ROLE": itself}
        timeout = min(FUNCTION_SECONDS, seconds_of(step, LAMBDA) + SLACK)
        sizes = (memory_of(step, self.aws.memory), self.aws.scratch, timeout)
        form = function_form(
            self.owner,
            digest,
            role=itself,
            runtime=self.aws.runtime,
            logs=logs.name,
            variables=variables,
            sizes=sizes,
        )
        needed = (role.address, *(each.address for each in code), logs.address)
        function = self._resource("function", name, form, needed, note=f"runs {step.id}")
        return [role, function]

    def _job(
        self, step: Step, pipeline: Pipeline, code: tuple[Resource, Resource, Resource], logs: Resource
    ) -> list[Resource]:
        role, itself = self._role(step, pipeline, "glue.amazonaws.com", logs)
        payload, packages, script = (f"{self.environment.artifacts}/{each.name}" for each in code)
        seconds = seconds_of(step, GLUE)
        told = {
            "payload": payload,
            "packages": packages,
            "role": itself,
            "logs": logs.name,
            "python": self.aws.runtime.removeprefix("python"),
            "region": self.aws.region,
            "interpreter": self.aws.interpreter,
            "seconds": str(seconds + SLACK),
            "spark": "" if self.aws.glue == SHELL else "1",
        }
        arguments = {f"--anabranch_{name}": value for name, value in told.items() if value}
        arguments |= spark_arguments(step, self.aws.runtime)
        memory, timeout = memory_of(step, self.aws.memory), {"Timeout": math.ceil((seconds + SLACK) / 60)}
        size: dict[str, object]
        if self.aws.glue == SHELL:
            arguments["library-set"] = "none"  # what steps need is packed for them
            size = {"MaxCapacity": next(capacity for most, capacity in SHELLS if memory <= most)}
            command = ("pythonshell", script, "3.0")
        else:
            size = {
                "WorkerType": next(worker for most, worker in WORKERS if memory <= most),
                "NumberOfWorkers": workers_of(step),
            }
            command = ("glueetl", script, self.aws.glue)
        form = job_form(self.owner, role=itself, command=command, size={**size, **timeout}, arguments=arguments)
        needed = (role.address, *(each.address for each in code), logs.address)
        name = function_name(self.owner, pipeline.name, step.id)
        return [role, self._resource("job", name, form, needed, note=f"runs {step.id}")]

    def _role(self, step: Step, pipeline: Pipeline, service: str, logs: Resource) -> tuple[Resource, str]:
        """Return the role that runs a step, with its full name."""
        name = function_name(self.owner, pipeline.name, step.id)
        itself = self.arns.role(self.owner, name)
        policy = self._policy(step, pipeline, logs.name, itself)
        self.problems.extend(sizes.rights(step, policy))
        trust = policies.assumed_by(service, self.arns, itself)
        return self._resource("role", name, role_form(self.owner, trust, policy), note=f"what {step.id} may do"), itself

    def _policy(self, step: Step, pipeline: Pipeline, logs: str, itself: str) -> policies.Document:
        """Return what the role that runs a step may do."""
        folder = f"{self.environment.artifacts}/{replace(self.owner, namespace='*').path}"
        places = policies.Places(self.environment.storage, folder, logs)
        policy = policies.for_step(self.access(step, pipeline), step.needs, self.arns, places, itself)
        return policies.with_glue(policy, self.arns, self.aws.interpreter) if self._is_job(step, pipeline) else policy

    def too_large(self, pipeline: Pipeline) -> Iterator[Diagnostic]:
        """Yield the steps that touch more than a role can say, and the pipeline that starts more than that."""
        logs = log_group(self.owner, pipeline.name)
        for step in pipeline.steps:
            if not isinstance(step.call, NativeCall):
                itself = self.arns.role(self.owner, function_name(self.owner, pipeline.name, step.id))
                yield from sizes.rights(step, self._policy(step, pipeline, logs, itself))
        calls = self._calls(pipeline)
        yield from sizes.started(pipeline, self._machine_policy(calls, pipeline, self._compiled(calls, pipeline, "")))

    def _calls(self, pipeline: Pipeline) -> dict[StepId, Invocation]:
        """Return what runs each step."""
        narrow = policies.for_job_in_branch(self.root, self.arns, pipeline.steps) if self._is_branch else ""
        return {
            step.id: self._native(step, step.call, pipeline, narrow)
            if isinstance(step.call, NativeCall)
            else invocation(
                self.reused.get(step.id) or self.job_of(step, pipeline), done(pipeline.name, step.id), narrow
            )
            for step in pipeline.steps
        }

    def _compiled(self, calls: Mapping[StepId, Invocation], pipeline: Pipeline, definition: str) -> Sequence[Machine]:
        """Return the state machine of a pipeline, and its inner ones.

        Args:
            calls: what runs each step.
            pipeline: is woven into states.
            definition: the name of the artifact that tells what it was.
        """
        target = Target(
            self.arns,
            calls,
            f"{self.environment.artifacts}/{definition}",
            self.root,
            self.owner.namespace,
            self.environment.storage if self._is_branch else "",
            policies.for_branch(self.root, self.arns, pipeline.steps) if self._is_branch else "",
            self.aws.poll,
        )
        names = partial(self._machine, pipeline)
        return Compiler(pipeline, target, names, mark_of(self.owner)).compile(weave(pipeline.upstream))

    def _machine(self, pipeline: Pipeline, part: int) -> str:
        """Return the state machine of a part of a pipeline, in full."""
        return self.arns.machine(machine_name(self.owner, pipeline.name, part))

    def _machine_policy(
        self, calls: Mapping[StepId, Invocation], pipeline: Pipeline, machines: Sequence[Machine]
    ) -> policies.Document:
        """Return what the role of a pipeline's state machines may do."""
        outer, *inside = (self._machine(pipeline, each.part) for each in machines)
        return policies.for_machine([*calls.values()], outer, inside, self.arns, self.root)

    def _machines(self, pipeline: Pipeline, definition: Resource) -> list[Resource]:
        calls = self._calls(pipeline)
        machines = self._compiled(calls, pipeline, definition.name)
        self._small_enough(pipeline, machines)
        role_name = name_of(self.owner, pipeline.name, "", "states", longest=ROLE)
        policy = self._machine_policy(calls, pipeline, machines)
        self.problems.extend(sizes.started(pipeline, policy))
        trust = policies.assumed_by("states.amazonaws.com", self.arns)
        form = role_form(self.owner, trust, policy)
        role = self._resource("role", role_name, form, note=f"what the state machine of {pipeline.name} may do")
        own = (self.job_of(step, pipeline) for step in pipeline.steps if step.id not in self.reused)
        called = tuple(address_of(whole) for whole in own if whole)
        found = [role]
        for machine in reversed(machines):  # an inner machine is there before the one that starts it
            name = machine_name(self.owner, pipeline.name, machine.part)
            form = machine_form(machine.definition, self.arns.role(self.owner, role_name))
            inner = (Address(f"machine/{machine_name(self.owner, pipeline.name, each)}") for each in machine.inner)
            needed = (role.address, definition.address, *called, *inner)
            found.append(self._resource("machine", name, form, needed, note=f"starts the steps of {pipeline.name}"))
        return found

    def _small_enough(self, pipeline: Pipeline, machines: Sequence[Machine]) -> None:
        for each in machines:
            if (size := len(each.definition.encode())) > DEFINITION:
                message = f"a state machine of `{pipeline.name}` would be {size:,} bytes"
                hint = f"AWS takes {DEFINITION:,}: fewer arguments of jobs, or two pipelines"
                raise InvalidProject([Diagnostic("limit", message, hint, pipeline.place)])
        if self._is_branch:
            narrow = policies.for_job_in_branch(self.root, self.arns, pipeline.steps)  # the longer of the two
            if problems := [*sizes.narrow(pipeline, narrow)]:
                raise InvalidProject(problems)

    def job_of(self, step: Step, pipeline: Pipeline) -> str:
        """Return the full name of what runs a step of this namespace's own; empty where nothing of ours does."""
        if isinstance(step.call, NativeCall):
            return ""
        name = function_name(self.owner, pipeline.name, step.id)
        on_glue = engine_of(pipeline, step, self.environment) == GLUE
        return self.arns.job(name) if on_glue else self.arns.function(name)

    def _native(self, step: Step, call: NativeCall, pipeline: Pipeline, narrow: str) -> Native:
        """Return how a job that exists is started, with what it is told: data that nobody here writes is main's."""
        locations: dict[str, str] = {}
        for where, ports in (("in", step.reads), ("out", step.outputs)):
            for port in ports:
                root = "$given.storage" if port.dataset in pipeline.writer_of else json.dumps(self.environment.storage)
                location = pipeline.dataset_by_name[port.dataset].location
                locations[f"{where}.{port.name}"] = f"{root} & {json.dumps(f'/{location}')}"
        return Native(call.platform, self.arns.short(call.job), expressions(call, locations), narrow)

    def _is_job(self, step: Step, pipeline: Pipeline) -> bool:
        return step.id not in self.reused and engine_of(pipeline, step, self.environment) == GLUE

    def _trigger(self, pipeline: Pipeline) -> list[Resource]:
        """Return what starts a pipeline besides a person, with the role in which it does."""
        trigger = pipeline.trigger
        if trigger is None:
            return []
        kind, service = ("schedule", "scheduler") if isinstance(trigger, Schedule) else ("rule", "events")
        machine = machine_name(self.owner, pipeline.name)
        name = name_of(self.owner, pipeline.name, "", kind, longest=ROLE)
        trust = policies.assumed_by(f"{service}.amazonaws.com", self.arns)
        policy = policies.for_trigger(self.arns.machine(machine))
        role = self._resource("role", name, role_form(self.owner, trust, policy), note=f"what the {kind} may do")
        starts, by = self.arns.machine(machine), self.arns.role(self.owner, name)
        if isinstance(trigger, Schedule):
            form = schedule_form(self.owner, scheduler_cron(trigger.cron), trigger.timezone, starts, by)
        else:
            form = rule_form(self.owner, trigger, starts, by)
        own = name_of(self.owner, pipeline.name, longest=SCHEDULE)
        needed = (role.address, Address(f"machine/{machine}"))
        return [role, self._resource(kind, own, form, needed, note=f"starts {pipeline.name}")]

    def _resource(
        self, kind: str, name: str, form: dict[str, object], depends: tuple[Address, ...] = (), note: str = ""
    ) -> Resource:
        tags = {"tags": self.tags} if kind in TAGGED else {}
        return Resource(Address(f"{kind}/{name}"), name, canonical({**form, **tags}), depends, note=note)
