"""Errors in user code, told with the user's own frame first."""

from __future__ import annotations

import importlib
import sys
import traceback
from pathlib import Path

from anabranch.model.place import Place

_OURS = str(Path(__file__).parent.parent)
_IMPORTING = ("<frozen", importlib.__file__)
_LIBRARY = tuple({sys.prefix, sys.base_prefix, sys.exec_prefix})


def user_place(error: BaseException, root: str) -> Place | None:
    """Return the innermost frame that lies in the user's project, file relative to `root`, or None."""
    if isinstance(error, SyntaxError) and error.filename and _is_users(error.filename, root):
        return Place(relative(error.filename, root), error.lineno or 0)
    frames = [f for f in traceback.extract_tb(error.__traceback__) if _is_users(f.filename, root)]
    return Place(relative(frames[-1].filename, root), frames[-1].lineno or 0) if frames else None


def user_trace(error: BaseException, root: str) -> str:
    """Return the traceback as text: the user's frames first, innermost first, then how libraries were reached."""
    lines: list[str] = []
    chain: BaseException | None = error
    while chain is not None:
        frames = [
            f for f in traceback.extract_tb(chain.__traceback__) if not f.filename.startswith((_OURS, *_IMPORTING))
        ]
        mine = [f for f in frames if _is_users(f.filename, root)]
        others = [f for f in frames if f not in mine]
        lines.append("".join(traceback.format_exception_only(chain)).rstrip())
        lines += [f"  at {relative(f.filename, root)}:{f.lineno} in {f.name}\n      {f.line}" for f in reversed(mine)]
        lines += [f"  in library {f.filename}:{f.lineno} in {f.name}" for f in reversed(others[-5:])]
        following = chain.__cause__ or (None if chain.__suppress_context__ else chain.__context__)
        if following is not None:
            lines.append("caused by")
        chain = following
    return "\n".join(lines)


def relative(file: str, root: str) -> str:
    """Return `file` relative to `root` where it lies inside."""
    path = Path(file)
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else file


def _is_users(file: str, root: str) -> bool:
    if file.startswith(("<", _OURS)):
        return False
    inside = Path(file).is_relative_to(root) and not any(
        part in {"site-packages", ".venv", "node_modules"} for part in Path(file).relative_to(root).parts
    )
    return inside or ("site-packages" not in file and not file.startswith(_LIBRARY))
