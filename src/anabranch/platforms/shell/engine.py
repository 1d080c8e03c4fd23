"""Runs any executable as a step."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from anabranch.platforms.process.context import prepare
from anabranch.platforms.process.start import start
from anabranch.platforms.process.values import returned
from anabranch.ports import Result

if TYPE_CHECKING:
    from anabranch.model.call import ShellCall
    from anabranch.model.task import Task
    from anabranch.ports import Staging

_SHOWN = 60


class ShellEngine:
    """The `Engine` of `ShellCall`."""

    def run(self, call: ShellCall, task: Task, staging: Staging) -> Result:
        """Run the command in the project's folder: a list as it is, a string by `/bin/sh -e`.

        The shell stops at the first line that fails; in `a | b` it looks at `b` alone, as every POSIX shell does.

        Raises:
            StepError: as of `start`; `unknown-port`, `not-an-argument`, `value-not-written`, `bad-value`.
        """
        context = prepare(task, staging)
        if call.shell:
            argv, name = ["/bin/sh", "-e", "-c", context.script(call.argv[0])], _title(call.argv[0])
        else:
            argv, name = [context.fill(each) for each in call.argv], ""
        start(argv, folder=Path(task.root), environment=context.environment, name=name)
        return Result(returned(context, task))


def _title(script: str) -> str:
    r"""Return a command line as messages show it.

    >>> _title("sort a.csv |\n  uniq > b.csv\n")
    'sort a.csv | ...'
    """
    first, _, more = script.strip().partition("\n")
    return first[:_SHOWN].rstrip() + (" ..." if more or len(first) > _SHOWN else "")
