"""A pipeline as state machines, in JSONata: each step is three states, and nothing that happens in it ends the others.

What flows from state to state is the set of steps that did not end well; so a failure skips only what depends on it,
and the machine fails when all has been done that can be. All else about a run is in variables. Where the definition
or the history of one machine would pass its limit, parts of it become machines of their own, which it starts.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING, Any, TypeAlias

from anabranch.platforms.aws.invoke import Function, Native
from anabranch.platforms.aws.names import STEPS_FAILED, execution_expression, part_of, state_of
from anabranch.platforms.aws.tasks import BUSY, CAUSE, SELDOM, Frame, patient, states_of
from anabranch.platforms.aws.turns import BEFORE, LIST, turn_states
from anabranch.platforms.aws.weave import Apart, Beside, Series, split, steps_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from anabranch.model.pipeline import Param, Pipeline, Step, StepId
    from anabranch.platforms.aws.invoke import Invocation
    from anabranch.platforms.aws.names import Arns
    from anabranch.platforms.aws.weave import Weave

States: TypeAlias = dict[str, Any]

CAUSES = 32_000
"""Characters of why all steps failed, together. AWS takes 32,768.

Source: https://docs.aws.amazon.com/step-functions/latest/apireference/API_HistoryEvent.html
"""
LARGEST = 400
"""Steps of one machine: with three states each they stay far below 1 MB of definition and 25,000 events of history.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
"""
LARGEST_OF_JOBS = 200
"""Steps of one machine that starts Glue jobs: their states are longer."""
DAY, EVENTS, EVENTS_OF_A_LOOK, EVENTS_OF_A_STEP = 86_400, 22_000, 9, 20
"""Seconds that each job of a machine may take that looks at its jobs by itself, and the events that it has for them:
what is left of 25,000 is for the wait for its turn. Source: as above.
"""
DEFINITION = 1_048_576
"""Bytes of a definition. Source: as above."""

BEGIN, END, FAILED, SUCCEEDED = "(begin)", "(end)", "(failed)", "(succeeded)"
"""States that are no step's: no step's name has brackets."""


@dataclass(frozen=True, slots=True)
class Target:
    """What machines call, and what they tell it.

    Attributes:
        arns: of the account.
        calls: what runs each step.
        definition: where the pipeline's definition lies.
        storage: the root of the namespace's datasets.
        namespace: main, or a branch.
        protected: storage that Python steps must not write to; empty for main.
        policy: the session policy that narrows each call; empty for main.
        poll: seconds between two looks at a job, at least; 0 leaves the waiting to Step Functions.
    """

    arns: Arns
    calls: Mapping[StepId, Invocation]
    definition: str
    storage: str
    namespace: str
    protected: str = ""
    policy: str = ""
    poll: int = 0


@dataclass(frozen=True, slots=True)
class Machine:
    """One state machine. `part` counts those of one pipeline, 0 being the one that is started."""

    part: int
    definition: str
    inner: tuple[int, ...]


def largest_of_looks(poll: int) -> int:
    """Return the steps of one machine that looks at each of their jobs by itself.

    Args:
        poll: seconds between two looks, at least: they are as far apart until a job has taken `SELDOM` times as long,
            and then ever farther.

    >>> largest_of_looks(1), largest_of_looks(30), largest_of_looks(3600)
    (5, 9, 93)
    """
    evenly = min(DAY, SELDOM * poll)
    looks = evenly / poll + SELDOM * math.log(DAY / evenly)
    return max(1, int(EVENTS / (EVENTS_OF_A_LOOK * looks + EVENTS_OF_A_STEP)))


class Compiler:
    """Makes the state machines of one pipeline."""

    def __init__(self, pipeline: Pipeline, target: Target, arn: Callable[[int], str], mark: str) -> None:
        """Name them.

        Args:
            pipeline: valid, and nothing of it is refused by `cells`.
            target: what it calls.
            arn: returns the full name of a part's machine.
            mark: says whose they are.
        """
        self._pipeline, self._target, self._arn, self._mark = pipeline, target, arn, mark
        self.machines: list[Machine] = []

    def compile(self, woven: Weave) -> list[Machine]:
        """Return the machines: first the one that is started, then those that it starts.

        Where steps are told so much that a definition is larger than AWS takes, there are more machines, and smaller.
        """
        jobs = any(not isinstance(call, Function) for call in self._target.calls.values())
        most = largest_of_looks(self._target.poll) if self._target.poll else LARGEST_OF_JOBS
        self._largest = min(LARGEST, most) if jobs else LARGEST
        while True:
            self.machines = []
            self._next = 1
            self._machine(0, woven)
            if self._largest == 1 or all(len(each.definition.encode()) <= DEFINITION for each in self.machines):
                return sorted(self.machines, key=lambda machine: machine.part)
            self._largest //= 2

    def _machine(self, part: int, woven: Weave) -> None:
        apart = split(woven, self._largest)
        inner: list[int] = []
        states: States = {}
        begin = self._begin(part)
        states[BEGIN] = begin
        first = self._states(apart, states, END, _Scope(inner, "outer" if part else "", count(1)))
        if not part:  # whoever starts an inner one has its turn
            states |= turn_states(self._target.arns, self._arn(0), first)
        begin["Next"] = first if part else LIST
        states |= _ends(part)
        told = {
            "Comment": f"{_comment(self._pipeline, part)} ({self._mark})",
            "QueryLanguage": "JSONata",
            "StartAt": BEGIN,
        }
        text = json.dumps({**told, "States": states}, separators=(",", ":"), ensure_ascii=False)
        self.machines.append(Machine(part, text, tuple(inner)))

    def _begin(self, part: int) -> States:
        """Return the state that keeps what was given, with what a run that nobody started by hand lacks."""
        target = self._target
        asked = "$states.context.Execution.Input"
        given = {
            "run": f"{{% $exists({asked}.run) ? {asked}.run : $states.context.Execution.Name %}}",
            "params": f"{{% $merge([{_json(_defaults(self._pipeline.params))}, {asked}.params]) %}}",
            "input": f"{{% $exists({asked}.input) ? {asked}.input : {_created(asked)} %}}",
            "again": f"{{% $exists({asked}.again) ? {asked}.again : 0 %}}",
            "storage": target.storage,
            "namespace": target.namespace,
            "definition": target.definition,
            **({"protected": target.protected} if target.protected else {}),
            **({"policy": target.policy} if target.policy else {}),
        }
        kept = {
            "given": given,
            "reused": f"{{% $exists({asked}.reused) ? {asked}.reused : {{}} %}}",
            "tried": f"{{% $exists({asked}.tried) ? {asked}.tried : {{}} %}}",
        }
        own = {"outer": f"{{% {asked}.bad %}}"} if part else {"turn": BEFORE}
        return {"Type": "Pass", "Assign": {**kept, **own}, "Output": {"bad": {}}}

    def _states(self, woven: Weave, states: States, then: str, scope: _Scope) -> str:
        """Add the states of a part to others; return the first of them."""
        match woven:
            case Series(parts):
                for each in reversed(parts):
                    then = self._states(each, states, then, scope)
                return then
            case Beside():
                return self._beside(woven, states, then, scope)
            case Apart(apart):
                return self._start(apart, states, then, scope)
            case step_id:
                return self._step(self._pipeline.step_by_id[step_id], states, then, scope)

    def _beside(self, woven: Beside, states: States, then: str, scope: _Scope) -> str:
        """Add states that run parts side by side. What did not end well before is kept aside, in a variable.

        So each part tells only of its own, and what flows does not grow with their number.
        """
        name = _label(woven)
        kept = scope.inside()
        states[name] = {
            "Type": "Pass",
            "Assign": {kept.outer: f"{{% {scope.bad} %}}"},
            "Output": {"bad": {}},
            "Next": f"{name}: beside",
        }
        branches = []
        for each in woven.parts:
            own: States = {}
            branches.append({"StartAt": self._states(each, own, "", kept), "States": own})
        states[f"{name}: beside"] = {"Type": "Parallel", "Branches": branches, "Next": f"{name}: end"}
        merged = f"$merge($append([${kept.outer}], $states.input.bad))"
        states[f"{name}: end"] = _then({"Type": "Pass", "Output": {"bad": f"{{% {merged} %}}"}}, then)
        return name

    def _start(self, apart: Weave, states: States, then: str, scope: _Scope) -> str:
        """Add a state that starts a machine of its own, and takes what did not end well from it.

        Where that machine itself ends badly, by one of AWS's limits, nothing in it counts as done.
        """
        part = self._next
        self._next += 1
        scope.inner.append(part)
        self._machine(part, apart)
        name = part_of(part)
        cause = f"$substring($states.errorOutput.Error & ': ' & $states.errorOutput.Cause, 0, {CAUSE})"
        # What it is to us is told once; but a job that exists reports nothing, so that alone would seem to be done.
        silent = {step for step, call in self._target.calls.items() if isinstance(call, Native)}
        lost = {step: f"{{% {cause} %}}" if step in silent else "" for step in steps_of(apart)}
        states[name] = _then(
            {
                "Type": "Task",
                "Resource": self._target.arns.integration("states:startExecution.sync:2"),
                "Arguments": {
                    "StateMachineArn": self._arn(part),
                    "Name": f"{{% {execution_expression(part)} %}}",
                    "Input": {
                        **{each: f"{{% $given.{each} %}}" for each in ("run", "params", "input", "again")},
                        "reused": "{% $reused %}",
                        "tried": "{% $tried %}",
                        "bad": f"{{% {scope.bad} %}}",
                        "AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID": "{% $states.context.Execution.Id %}",
                    },
                },
                "Retry": [patient(BUSY["step-functions"])],  # its name is the same, so it is started once
                "Catch": [
                    {
                        "ErrorEquals": ["States.ALL"],
                        "Output": {
                            "bad": f"{{% $merge([$states.input.bad, {{{_json(name)}: {cause}}}]) %}}",
                            "lost": lost,
                        },
                        "Next": f"{name}: lost",
                    }
                ],
                "Output": {"bad": "{% $merge([$states.input.bad, $states.result.Output.bad]) %}"},
            },
            then,
        )
        everything = "$merge([$states.input.lost, $states.input.bad])"
        states[f"{name}: lost"] = _then({"Type": "Pass", "Output": {"bad": f"{{% {everything} %}}"}}, then)
        return name

    def _step(self, step: Step, states: States, then: str, scope: _Scope) -> str:
        name = state_of(step.id)
        text = _json(step.id)
        bad = f"$merge([$states.input.bad, {{{text}: ''}}])"  # no cause: it was skipped, or has reported
        blocked = " or ".join(
            f"$exists($lookup({scope.bad}, {_json(each)}))" for each in self._pipeline.upstream[step.id]
        )
        after: States = {"Next": then} if then else {}
        choices = [{"Condition": f"{{% $exists($lookup($reused, {text})) %}}", "Next": f"{name}: reused"}]
        if blocked:
            choices.append({"Condition": f"{{% {blocked} %}}", "Next": f"{name}: skip"})
        states[f"{name}: ready?"] = {"Type": "Choice", "Choices": choices, "Default": name}
        states[f"{name}: reused"] = _then({"Type": "Pass"}, then)
        if blocked:
            states[f"{name}: skip"] = _then({"Type": "Pass", "Output": {"bad": f"{{% {bad} %}}"}}, then)
        counter = f"job{next(scope.count)}"
        frame = Frame(step, name, after or {"End": True}, bad, counter, self._target.poll, self._target.arns)
        states |= states_of(self._target.calls[step.id], frame)
        return f"{name}: ready?"


@dataclass(frozen=True, slots=True)
class _Scope:
    """Where states are: the variable that keeps what did not end well before, and the parts that are started."""

    inner: list[int]
    outer: str
    count: Iterator[int]

    @property
    def bad(self) -> str:
        """All that did not end well until here, as an expression."""
        return f"$merge([${self.outer}, $states.input.bad])" if self.outer else "$states.input.bad"

    def inside(self) -> _Scope:
        """Return the scope of parts side by side: no variable there may have the name of one outside."""
        return replace(self, outer=f"before{next(self.count)}")


def _created(asked: str) -> str:
    """Return the event of an execution that EventBridge started because of an object; null for any other."""
    detail = f"{asked}.detail"
    fields = {"bucket": "bucket.name", "key": "object.key", "size": "object.size", "etag": "object.etag"}
    told = ", ".join(f"'{name}': {detail}.{path}" for name, path in fields.items())
    return f"($exists({detail}.object) ? {{{told}}} : null)"


def _ends(part: int) -> States:
    if part:  # an inner machine tells the outer one what did not end well
        return {END: {"Type": "Succeed"}}
    # Where nothing is left, `$sift` is undefined, and AWS would name that as the error.
    causes = "$merge([{}, $sift($states.input.bad, function($cause) { $cause != '' })])"
    failed = f"{{% $substring($string({causes}), 0, {CAUSES}) %}}"
    return {
        END: {
            "Type": "Choice",
            "Choices": [{"Condition": "{% $count($keys($states.input.bad)) > 0 %}", "Next": FAILED}],
            "Default": SUCCEEDED,
        },
        FAILED: {"Type": "Fail", "Error": STEPS_FAILED, "Cause": failed},
        SUCCEEDED: {"Type": "Succeed"},
    }


def _then(state: States, then: str) -> States:
    return {**state, **({"Next": then} if then else {"End": True})}


def _label(woven: Beside) -> str:
    """Return what tells one parallel state from another: the first step in it."""
    return f"({state_of(steps_of(woven)[0])} and more)"


def _defaults(params: Sequence[Param]) -> dict[str, str]:
    return {param.name: param.default for param in params if param.default is not None}


def _comment(pipeline: Pipeline, part: int) -> str:
    return f"{pipeline.name}, part {part}" if part else pipeline.description or pipeline.name


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
