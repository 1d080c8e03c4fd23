"""The states with which an execution waits for its turn: one run of a pipeline at a time, whoever started it.

Each execution lists those of its own machine that are under way, and begins when none of them started before it; where
two started at once, the name decides. It waits until it finds itself: AWS's listing may lag behind, and what shows an
execution shows those before it. The newest come first, so that one page tells nearly all of them to wait.

How often it looks follows how many are before it, and how long nothing has changed: the time that is lost between two
runs is a tenth of the first, at most, and a thousand that wait ask less than once a second together.

Source: https://docs.aws.amazon.com/step-functions/latest/apireference/API_ListExecutions.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from anabranch.platforms.aws.names import Arns

States: TypeAlias = dict[str, Any]

LIST, TURN, WAIT = "(under way)", "(turn?)", "(wait)"
"""The states; no step's name has brackets."""
LEAST = 5
"""Seconds between two looks, for each execution that is known to be before."""
PAGE = 100
"""Executions of one page: about 500 bytes each, and a state may be told 256 KiB."""
MANY, SELDOM = 300, 3600
"""Looks after which one is taken every so many seconds: each is nine of the 25,000 events that an execution may have.

Source: https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
"""
MANNERS = {
    "ErrorEquals": ["States.ALL"],
    "MaxAttempts": 10,
    "IntervalSeconds": 2,
    "BackoffRate": 2,
    "MaxDelaySeconds": 120,
    "JitterStrategy": "FULL",
}
"""How a look that fails is taken again: all that wait ask, and AWS gives a few of them an answer each second."""

BEFORE = {"looks": 0, "same": 0, "since": 0, "ahead": 0}
"""What is known before the first look."""


def turn_states(arns: Arns, arn: str, then: str) -> States:
    """Return the states that wait for an execution's turn, the first of which is `LIST`.

    Args:
        arns: of the account.
        arn: of the machine itself.
        then: the state that follows.
    """
    ask = f"{{'StateMachineArn': '{arn}', 'StatusFilter': 'RUNNING', 'MaxResults': {PAGE}}}"
    found = (
        "( $listed := $states.result.Executions;"
        " $self := $listed[ExecutionArn = $states.context.Execution.Id][0];"
        " $mine := $exists($turn.mine) ? $turn.mine :"
        " $exists($self) ? {'at': $self.StartDate, 'name': $self.Name};"
        " $ahead := $count($listed[StartDate < $mine.at or (StartDate = $mine.at and Name < $mine.name)]);"
        " $merge([$sift($turn, function($v, $k) { $k != 'token' }), {'ahead': $ahead},"
        " $exists($mine) ? {'mine': $mine} : {},"
        " $boolean($states.result.NextToken) ? {'token': $states.result.NextToken} : {}]) )"
    )
    still = "$turn.ahead = $turn.same"
    pause = f"$max([1, {LEAST} * $turn.ahead, {still} ? ($millis() - $turn.since) / 10000 : 0])"
    seconds = f"$turn.looks < {MANY} ? $ceil({pause}) : {SELDOM}"
    known = (
        "{'looks': $turn.looks + 1, 'same': $turn.ahead, 'ahead': 0,"
        f" 'since': {still} and $turn.since > 0 ? $turn.since : $millis()}}"
    )
    flows = {"Output": "{% $states.input %}"}
    return {
        LIST: {
            "Type": "Task",
            "Resource": arns.integration("aws-sdk:sfn:listExecutions"),
            "Arguments": f"{{% $merge([{ask}, $exists($turn.token) ? {{'NextToken': $turn.token}} : {{}}]) %}}",
            "Retry": [MANNERS],
            "Assign": {"turn": f"{{% {found} %}}"},
            **flows,
            "Next": TURN,
        },
        TURN: {
            "Type": "Choice",
            "Choices": [
                {"Condition": "{% $turn.ahead = 0 and $exists($turn.token) %}", "Next": LIST},
                {"Condition": "{% $turn.ahead = 0 and $exists($turn.mine) %}", "Next": then},
            ],
            "Default": WAIT,
        },
        WAIT: {
            "Type": "Wait",
            "Seconds": f"{{% {seconds} %}}",
            "Assign": {"turn": f"{{% {known} %}}"},
            **flows,
            "Next": LIST,
        },
    }
