"""The command line: one face of `app`. Each verb is a module of `verbs`, imported only when it is called.

terminal · table             how things look here: streams and columns; the rest is in `show`
face · root · failure        options that verbs share, the list of verbs, how errors are shown
progress/                    reporters: what is seen while a run happens, and what is said at its end
drawn · deltas               a pipeline and a branch's deltas as text
verbs/                       one small module for each verb
"""

from __future__ import annotations

import gc
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line.

    Args:
        arguments: what follows the program's name; those of the process when None.

    Returns:
        The exit code, as the table in `model.errors` says.
    """
    argv = list(sys.argv[1:] if arguments is None else arguments)
    # A project is read once and kept: looking through 10,000 steps for garbage, again and again, is a fifth of `check`.
    gc.set_threshold(100_000, 50, 50)
    _prepare_streams()
    code = 0
    try:
        code = _run(argv)
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has what it wanted (`| head`). Keep the interpreter from complaining when it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return code


def _run(argv: list[str]) -> int:
    import click

    from anabranch.cli.root import root

    try:
        if "_ANABRANCH_COMPLETE" in os.environ:
            root.main(argv, prog_name="anabranch")
        # Not `root.main`: it takes a closed pipe for an error, and an interrupt for an abort.
        with root.make_context("anabranch", argv) as context:
            result: object = root.invoke(context)
    except click.exceptions.Exit as end:
        return end.exit_code
    except (Exception, KeyboardInterrupt) as error:
        if isinstance(error, BrokenPipeError) and _nobody_reads():
            raise
        from anabranch.cli.failure import show

        return show(error, argv)
    return result if isinstance(result, int) else 0


def _nobody_reads() -> bool:
    """Tell whether it is stdout that broke, and not a pipe to some other process."""
    import select

    look = select.poll()
    look.register(sys.stdout.fileno(), 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in look.poll(0))


def _prepare_streams() -> None:
    """Escape the characters that a stream's encoding lacks, rather than crash on them."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
