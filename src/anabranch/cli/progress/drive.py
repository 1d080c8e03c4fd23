"""Drive a run as the command line does: the right reporter while it happens, the summary at its end, the exit code."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from anabranch.cli.face import VERSION, Face, root_of, write_json, write_lines
from anabranch.cli.progress.summary import INTERRUPTED, Voice, changed_files, exit_code, headline, names, troubles
from anabranch.cli.table import Cell, table
from anabranch.model.branch import MAIN
from anabranch.model.errors import AnabranchError
from anabranch.show import shapes
from anabranch.show.human import plural, size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from anabranch.app import Project, RunResult
    from anabranch.app.remote import RemoteRuns
    from anabranch.cli.terminal import Terminal
    from anabranch.model.errors import Diagnostic
    from anabranch.model.pipeline import Pipeline
    from anabranch.model.run import PortStats, Recorded, Run, RunId, StepRun
    from anabranch.ports import Reporter


class Watch:
    """Remembers which run is being told of, for when it is interrupted; says the preface once it has begun."""

    def __init__(self, inner: Reporter, say: Callable[[], None]) -> None:
        """Pass everything on to `inner`, after `say`."""
        self.run: RunId | None = None
        self._inner, self._say = inner, say

    def report(self, recorded: Recorded) -> None:
        """Pass one event on."""
        if self.run is None:
            self._say()
        self.run = recorded.run
        self._inner.report(recorded)


def drive(
    face: Face,
    project: Project,
    pipeline: Pipeline,
    act: Callable[[Reporter], RunResult | None],
    preface: Iterable[str] = (),
    *,
    storage: Path | None = None,
    nothing: str = "",
) -> int:
    """Run, show, sum up.

    Args:
        face: how the verb was called.
        project: the project.
        pipeline: what runs.
        act: starts the run with a reporter, and returns when it has ended.
        preface: lines for stderr that come first, once the run has begun.
        storage: where it writes; the project's by default.
        nothing: what to say when there was nothing to run.

    Returns:
        The exit code.
    """
    inner = reporter_for(face, pipeline)
    watch = Watch(inner, lambda: face.note(*preface))
    try:
        result = act(watch)
    except KeyboardInterrupt:
        if watch.run is None:
            raise
        finish(face, project, project.runs.run(watch.run), storage)
        return INTERRUPTED
    finally:
        _close(inner)
    if result is None:
        face.result({"result": None}, lambda: [nothing])
        return 0
    warn(face, result.warnings)
    finish(face, project, result.run, storage)
    return exit_code(result.run)


def warn(face: Face, warnings: Sequence[Diagnostic]) -> None:
    """Write to stderr what went wrong beside a run."""
    if warnings:
        from anabranch.cli.failure import lines

        face.note(*lines(warnings, face.err, root_of(face.directory)))


def drive_elsewhere(
    face: Face, project: Project, pipeline: Pipeline, act: Callable[[RemoteRuns, Reporter, Callable[[str], None]], Run]
) -> int:
    """Run in the face's environment, show, sum up; a run that is left alone goes on there.

    Args:
        face: how the verb was called.
        project: the project.
        pipeline: what runs.
        act: starts the run with a reporter and a hearer of what it waits for, and returns when it has ended.

    Returns:
        The exit code.
    """
    remote = project.remote(face.environment)
    if not face.json:
        face.note(*_undeployed(face, remote, pipeline))
    inner = reporter_for(face, pipeline)
    watch = Watch(inner, lambda: None)
    try:
        run = act(remote, watch, lambda line: None if face.json else face.note(line))
    except (KeyboardInterrupt, AnabranchError):  # who follows is gone, or cannot ask any more; the run is not
        _close(inner)  # what it draws would be drawn over what follows
        if watch.run is not None:
            face.note(f"run {watch.run} goes on in {face.environment}: {face.command('runs', 'show', watch.run)}")
        raise
    finally:
        _close(inner)
    finish(face, project, run, remote.storage)
    return exit_code(run)


def _undeployed(face: Face, remote: RemoteRuns, pipeline: Pipeline) -> Iterator[str]:
    """Yield that what runs elsewhere is not of this code, where that is so."""
    if files := changed_files(remote.undeployed(pipeline)):
        where, plan = face.environment, face.command("plan", "-e", face.environment)
        yield f"{where} runs what was applied; changed here since: {names(files)} (see {plan})"


def _close(reporter: Reporter) -> None:
    """Let go of the screen, where the reporter has it."""
    close = getattr(reporter, "close", None)
    if close is not None:
        close()


def reporter_for(face: Face, pipeline: Pipeline) -> Reporter:
    """Return the reporter that suits stdout and stderr."""
    if face.json:
        from anabranch.cli.progress.ndjson import NdjsonReporter

        return NdjsonReporter(face.verb)
    if face.err.tty:
        from anabranch.cli.progress.live import LiveReporter

        return LiveReporter(pipeline)
    from anabranch.cli.progress.lines import LineReporter

    return LineReporter(pipeline)


def retrying(face: Face, run: Run) -> str:
    """Return the command that does again what a run did not; elsewhere, a branch's is driven from here as a whole."""
    branch = bool(face.environment) and run.namespace != MAIN
    return face.command("branch", "run", run.namespace) if branch else face.command("runs", "retry", run.id)


def finish(face: Face, project: Project, run: Run, storage: Path | None = None) -> None:
    """Write the result to stdout, then what went wrong to stderr, so that its last line is the very last."""
    written = [(step, stats) for step in run.steps if step.state.ok for stats in step.writes]
    again = retrying(face, run)
    if face.json:
        ok = exit_code(run) == 0
        datasets = [
            {"step": step.step, **shapes.port(stats), "location": location(project, stats)} for step, stats in written
        ]
        result = {"ok": ok, "run": shapes.run(run), "datasets": datasets, "retry": None if ok else again}
        write_json({"anabranch": VERSION, "verb": face.verb, "result": result})
        return
    write_lines([headline(run, face.out), *_datasets(face, project, written, storage or project.storage)])
    for line in troubles(run, voice(face, project, run, face.err)):
        sys.stderr.write(line + "\n")
    sys.stderr.flush()


def voice(face: Face, project: Project, run: Run, out: Terminal) -> Voice:
    """Return how a run of this project is spoken of, on a stream that looks like `out`."""
    return Voice(
        out=out,
        near=face.near,
        log=lambda step: (
            face.command("runs", "logs", run.id, step.step)
            if face.environment
            else face.near(str(project.log_path(run.id, step.step, step.attempts)))
        ),
        command=face.command,
    )


def location(project: Project, stats: PortStats) -> str | None:
    """Return where a dataset lies, from the storage root on."""
    spec = project.datasets.get(stats.dataset)
    return spec.location if spec else None


def _datasets(face: Face, project: Project, written: list[tuple[StepRun, PortStats]], storage: Path) -> Iterator[str]:
    """Yield the datasets of the last stage that were made; the others are a verb away."""
    finals = [item for item in written if _is_final(project, item[1])] or written
    rows: list[list[str | Cell]] = []
    for _, stats in finals:
        where = location(project, stats) or ""
        rows.append(
            [
                Cell(stats.dataset, ("bold",)),
                plural(stats.rows, "row") if stats.rows is not None else "",
                size(stats.bytes),
                Cell(face.near(f"{project.shown(storage)}/{where}") if where else "", ("dim",)),
            ]
        )
    yield from table([""] * 4, rows, right=[1, 2], terminal=face.out, indent="  ")


def _is_final(project: Project, stats: PortStats) -> bool:
    spec = project.datasets.get(stats.dataset)
    return spec is not None and spec.stage.value == "final"
