"""What is said when a run has ended: what became of it, where it broke, how to go on. Pure but for the source line."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from anabranch.model.branch import MAIN
from anabranch.model.errors import ContractError, StepError
from anabranch.model.run import RunState, StepState
from anabranch.show.human import plural, seconds
from anabranch.show.text import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from anabranch.cli.terminal import Terminal
    from anabranch.model.run import Failure, Run, StepRun

SHOWN_FAILURES = 5
"""Failures told in full; of more only the names."""

SHOWN_NAMES = 6
TRACE_LINES = 12
INTERRUPTED = 130

VERDICTS = {
    RunState.SUCCEEDED: ("ok", "succeeded in", "green"),
    RunState.FAILED: ("failed", "failed after", "red"),
    RunState.CANCELLED: ("stopped", "was stopped after", "yellow"),
    RunState.DEAD: ("failed", "died: nobody drives it any more", "red"),
    RunState.RUNNING: ("running", "is running", "cyan"),
}
"""For each state of a run: the mark's name, the verb, the colour."""

WORDS = {
    "ran": StepState.SUCCEEDED,
    "reused": StepState.REUSED,
    "failed": StepState.FAILED,
    "skipped": StepState.SKIPPED,
    "stopped": StepState.CANCELLED,
    "retrying": StepState.RETRYING,
    "running": StepState.RUNNING,
    "not started": StepState.WAITING,
}
"""What is counted of a run's steps, in this order."""

WORD_OF = {state: word for word, state in WORDS.items()}


@dataclass(frozen=True, slots=True)
class Voice:
    """What a summary needs to know of where it is read."""

    out: Terminal
    near: Callable[[str], str]
    """A place of the project, as seen from the working directory."""
    log: Callable[[StepRun], str]
    """The log of a step's last attempt."""
    command: Callable[..., str]
    """A command to copy, from its words."""


def exit_code(run: Run) -> int:
    """Return the exit code that tells how a run ended: a broken contract only when nothing else went wrong."""
    match run.state:
        case RunState.SUCCEEDED | RunState.RUNNING:
            return 0
        case RunState.CANCELLED:
            return INTERRUPTED
        case RunState.FAILED | RunState.DEAD:
            kinds = {step.failure.kind for step in run.steps if step.state is StepState.FAILED and step.failure}
            return ContractError.exit_code if kinds == {"contract"} else StepError.exit_code


def headline(run: Run, out: Terminal) -> str:
    """Return the one line that tells how a run went."""
    mark, words, colour = VERDICTS[run.state]
    happened = [_word(step) for step in run.steps]
    counts = ", ".join(f"{number:,} {word}" for word in WORDS if (number := happened.count(word)))
    where = "" if run.namespace == MAIN else f" in branch {printable(run.namespace)}"
    told = f"{run.pipeline}{where} {words}" + (f" {seconds(run.seconds)}" if run.ended_at is not None else "")
    return f"{out.paint(f'{getattr(out.marks, mark)} {told}', 'bold', colour)}: {counts or 'no step'}   (run {run.id})"


def _word(step: StepRun) -> str:
    return "not started" if step.state is StepState.CANCELLED and step.started_at is None else WORD_OF[step.state]


def troubles(run: Run, voice: Voice) -> Iterator[str]:
    """Yield what went wrong and, as the very last line, how to go on. A run without trouble yields nothing."""
    out = voice.out
    failed = [step for step in run.steps if step.state is StepState.FAILED]
    for step in failed[:SHOWN_FAILURES]:
        yield ""
        yield from failed_step(step, voice)
    if len(failed) > SHOWN_FAILURES:
        yield ""
        yield f"also failed: {names([step.step for step in failed[SHOWN_FAILURES:]])}"
    if failed:
        yield ""
    yield from _not_run(run)
    if run.message and run.state is not RunState.SUCCEEDED and not failed:
        yield printable(run.message)
    if run.state not in {RunState.SUCCEEDED, RunState.RUNNING}:
        word = "retry:" if run.state is RunState.FAILED else "go on:"
        yield f"{out.paint(word, 'bold', 'cyan')} {voice.command('runs', 'retry', run.id)}"


def failed_step(step: StepRun, voice: Voice) -> Iterator[str]:
    """Yield a failure: the user's own frame first, the message, a hint, the log."""
    failure, out = step.failure, voice.out
    if failure is None:
        return
    tries = f" (after {step.attempts} attempts)" if step.attempts > 1 else ""
    yield f"{out.paint(f'error[{failure.code}]', 'bold', 'red')} step {out.paint(step.step, 'bold')} failed{tries}"
    if failure.place:
        name, line = frame(failure)
        yield f"  {voice.near(failure.place)}" + (f" in {name}" if name else "")
        line = line or source_line(voice.near(failure.place))
        if line:
            yield f"  {out.paint(out.marks.rule, 'dim')} {printable(line)}"
    message = [line for line in failure.message.splitlines() if line.strip()] or [failure.kind]
    for line in message[:TRACE_LINES]:
        yield f"  {printable(line)}"
    if len(message) > TRACE_LINES:
        yield f"  {out.marks.dots} {plural(len(message) - TRACE_LINES, 'more line')} in the log"
    if failure.hint:
        yield f"  {out.paint('try:', 'cyan')} {printable(failure.hint)}"
    yield f"  {out.paint('log:', 'cyan')} {voice.log(step)}"


def frame(failure: Failure) -> tuple[str, str]:
    r"""Return the function and the line of code at the failure's place, as its trace tells; empty where it does not.

    >>> from anabranch.model.run import Failure
    >>> frame(Failure("error", "", place="a.py:3", trace="E: x\n  at a.py:3 in clean\n      return 1 / 0"))
    ('clean', 'return 1 / 0')
    """
    lines = [line.strip() for line in failure.trace.splitlines()]
    start = next((i for i, line in enumerate(lines) if line.startswith(f"at {failure.place} in ")), None)
    if start is None:
        return "", ""
    functions = [line.rpartition(" in ")[2] for line in lines[start:] if line.startswith("at ")]
    # A comprehension or lambda has no name: that of the function around it says more.
    name = next((each for each in functions if not each.startswith("<")), functions[0])
    return name, "".join(lines[start + 1 : start + 2])


def source_line(place: str) -> str:
    """Return the user's line at `file:line`, without its indent; nothing where it cannot be read."""
    file, _, number = place.rpartition(":")
    if not number.isdigit():
        return ""
    try:
        with Path(file).open(encoding="utf-8", errors="replace") as lines:
            return next((line.strip() for i, line in enumerate(lines, 1) if i == int(number)), "")
    except OSError:
        return ""


def names(items: Sequence[str]) -> str:
    """Return names in a row; of many only the first.

    >>> names(["a", "b"]), names([str(i) for i in range(100)])
    ('a, b', '0, 1, 2, 3, 4, 5 and 94 more')
    """
    more = len(items) - SHOWN_NAMES
    if more <= 1:
        return ", ".join(items)
    return ", ".join(items[:SHOWN_NAMES]) + f" and {more:,} more"


def _not_run(run: Run) -> Iterator[str]:
    """Yield what was left out, and because of whom."""
    because: dict[str, list[str]] = {}
    for step in run.steps:
        if step.state is StepState.SKIPPED:
            because.setdefault(root_cause(run, step), []).append(step.step)
    for cause, steps in because.items():
        yield f"skipped because of {cause}: {names(steps)}"
    stopped = [step.step for step in run.steps if step.state is StepState.CANCELLED and step.started_at is not None]
    unstarted = [step.step for step in run.steps if step.state is StepState.CANCELLED and step.started_at is None]
    lost = [step.step for step in run.steps if step.state in {StepState.RUNNING, StepState.RETRYING}]
    if stopped:
        yield f"stopped: {names(stopped)}"
    if unstarted:
        yield f"not started: {names(unstarted)}"
    if lost and run.state is not RunState.RUNNING:
        yield f"was running: {names(lost)}"


def root_cause(run: Run, step: StepRun) -> str:
    """Return the step that failed, or was stopped, at the end of a chain of skips."""
    seen = {step.step}
    while step.because is not None and step.because not in seen:
        seen.add(step.because)
        following = run.step_by_id.get(step.because)
        if following is None:
            return step.because
        step = following
    return step.step


def changed_files(diff: str) -> list[str]:
    r"""Return the files that a unified diff tells of.

    >>> changed_files("--- a/x.py\n+++ b/x.py\n--- a/y.py\n+++ /dev/null\nbinary file z.png changed\n")
    ['x.py', 'y.py', 'z.png']
    """
    lines, found = diff.splitlines(), list[str]()
    for before, line in zip(["", *lines], lines, strict=False):
        if line.startswith("+++ ") and before.startswith("--- "):
            found.append((before if line == "+++ /dev/null" else line)[len("+++ b/") :])
        elif line.startswith("binary file ") and line.endswith(" changed"):
            found.append(line.removeprefix("binary file ").removesuffix(" changed"))
    return found
