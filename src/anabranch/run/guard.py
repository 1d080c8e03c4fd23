"""Keeps Python code of a branch from writing to main's data.

What our own code writes lies below the branch's root anyway. This catches what a step does by itself, in Python; native
libraries and processes are beyond it: these are given no other location than the branch's.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from anabranch.model.errors import StepError

if TYPE_CHECKING:
    from collections.abc import Generator

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_PATHS = {
    "os.remove": (0,),
    "os.rename": (0, 1),
    "os.rmdir": (0,),
    "os.mkdir": (0,),
    "os.truncate": (0,),
    "os.link": (1,),
    "os.symlink": (1,),
    "os.chmod": (0,),
    "os.utime": (0,),
    "shutil.rmtree": (0,),
}
"""Events of the interpreter that change files, and which of their arguments are the paths.

Source: https://docs.python.org/3/library/audit_events.html
"""

_state: dict[str, str] = {}


@contextmanager
def protecting(storage: str, root: str) -> Generator[None]:
    """Refuse, for a while, what would change a file below `storage` that is not below `root`; nothing when empty.

    Raises:
        StepError: `outside-branch`, in the code that tries.
    """
    if not storage:
        yield
        return
    if "installed" not in _state:  # an audit hook stays for as long as the process lives
        sys.addaudithook(_audit)
        _state["installed"] = "yes"
    _state["storage"], _state["root"] = (os.path.realpath(each) + os.sep for each in (storage, root))
    try:
        yield
    finally:
        del _state["storage"], _state["root"]


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if "storage" not in _state:
        return
    if event == "open":
        if isinstance(arguments[2], int) and arguments[2] & _WRITING:
            _refuse(arguments[0])
    elif event in _PATHS:
        for position in _PATHS[event]:
            _refuse(arguments[position])


def _refuse(given: object) -> None:
    if not isinstance(given, str | bytes | os.PathLike):
        return  # a file descriptor that was opened before
    path = os.path.realpath(os.fsdecode(given)) + os.sep
    if path.startswith(_state["storage"]) and not path.startswith(_state["root"]):
        message = f"a branch must not change {path.rstrip(os.sep)}, which is main's"
        raise StepError(message, code="outside-branch", hint="write to the step's outputs, or to a file elsewhere")
