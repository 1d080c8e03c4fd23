"""Runs any executable as a step."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from anabranch.platforms.process.context import prepare, returned
from anabranch.platforms.process.start import start
from anabranch.ports import Result

if TYPE_CHECKING:
    from anabranch.model.call import ShellCall
    from anabranch.model.task import Task
    from anabranch.ports import Staging


class ShellEngine:
    """The `Engine` of `ShellCall`."""

    def run(self, call: ShellCall, task: Task, staging: Staging) -> Result:
        """Run the command in the project's folder; a string by /bin/sh, with every value quoted.

        Raises:
            StepError: as of `start`; `unknown-port`, `value-not-written`.
        """
        context = prepare(task, staging)
        if call.shell:
            argv = ["/bin/sh", "-c", context.fill(call.argv[0], shell=True)]
        else:
            argv = [context.fill(each) for each in call.argv]
        start(argv, folder=Path(task.root), environment=context.environment)
        return Result(returned(context, task))
