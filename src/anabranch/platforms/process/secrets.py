"""Secrets by reference: `secret://provider/name` is resolved where the step runs, and kept nowhere.

`secret://env/TOKEN` is a variable of the environment that anabranch runs in. `secret://file/keys/token` is a file, from
the folder that anabranch runs in; `secret://file//run/secrets/token`, with two slashes, is an absolute path. A file's
last line ends are not part of the secret. What a platform keeps is read by that platform's own module.
"""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from anabranch.model.errors import AnabranchError, StepError, closest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from anabranch.model.pipeline import Needs

_SCHEME = "secret://"


def _from_environment(name: str) -> str | None:
    return os.environ.get(name)


def _from_file(name: str) -> str | None:
    try:
        return Path(name).read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, ValueError):
        return None


def _from_aws(function: str) -> Callable[[str], str | None]:
    def get(name: str) -> str | None:
        found: str | None = getattr(import_module("anabranch.platforms.aws.secrets"), function)(name)
        return found

    return get


PROVIDERS: dict[str, tuple[Callable[[str], str | None], str]] = {
    "env": (_from_environment, "export {name}=... before the run"),
    "file": (_from_file, "write the secret to the file {name}, as UTF-8 text"),
    "secretsmanager": (_from_aws("from_manager"), "make the secret {name}, or look at the account and the region"),
    "ssm": (_from_aws("from_store"), "make the parameter {name}, or look at the account and the region"),
}
"""Where secrets come from: how to get one, and what to try when it is not there."""


def resolve_secrets(needs: Needs) -> dict[str, str]:
    """Return the step's secrets by environment variable.

    Raises:
        StepError: `missing-secret`, naming the reference and never a value; `bad-secret`, it is no reference; and as
            whoever keeps it says.
    """
    return resolve_references(needs.secrets)


def resolve_references(references: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return secrets by what they are for; raises as `resolve_secrets`."""
    found: dict[str, str] = {}
    for variable, reference in references:
        provider, slash, name = reference.removeprefix(_SCHEME).partition("/")
        if not (reference.startswith(_SCHEME) and slash and name):
            # What stands there may be the secret itself: do not show it.
            message = f"the secret for {variable} is not a reference"
            raise StepError(message, code="bad-secret", hint=f"write {_SCHEME}env/{variable}, and keep the value out")
        if provider not in PROVIDERS:
            message = f"nothing on this machine gives the secret {reference}"
            raise StepError(message, code="missing-secret", hint=closest(provider, PROVIDERS))
        get, hint = PROVIDERS[provider]
        try:
            value = get(name)
        except AnabranchError as error:
            message = f"the secret {reference} (for {variable}) cannot be read: {error.message}"
            raise StepError(message, code=error.code, hint=error.hint) from None
        if value is None:
            message = f"the secret {reference} (for {variable}) is not there"
            raise StepError(message, code="missing-secret", hint=hint.format(name=name))
        found[variable] = value
    return found
