"""Secrets by reference: `secret://provider/name` is resolved where the step runs, and kept nowhere."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from anabranch.model.errors import StepError

if TYPE_CHECKING:
    from collections.abc import Callable

    from anabranch.model.pipeline import Needs


def _from_environment(name: str) -> str | None:
    return os.environ.get(name)


def _from_file(name: str) -> str | None:
    path = Path("/" + name.lstrip("/")) if name.startswith("/") else Path(name)
    try:
        return path.read_text(encoding="utf-8").rstrip("\n")
    except OSError:
        return None


PROVIDERS: dict[str, Callable[[str], str | None]] = {"env": _from_environment, "file": _from_file}
"""Where secrets come from on this machine."""


def resolve_secrets(needs: Needs) -> dict[str, str]:
    """Return the step's secrets by environment variable.

    Raises:
        StepError: `missing-secret`, naming the reference and never a value.
    """
    found: dict[str, str] = {}
    for variable, reference in needs.secrets:
        provider, _, name = reference.removeprefix("secret://").partition("/")
        value = PROVIDERS[provider](name) if provider in PROVIDERS else None
        if value is None:
            known = ", ".join(f"secret://{each}/..." for each in PROVIDERS)
            message = f"the secret {reference} is not there"
            hint = f"export {name}=..." if provider == "env" else f"write the file, or use one of {known}"
            raise StepError(message, code="missing-secret", hint=hint)
        found[variable] = value
    return found
