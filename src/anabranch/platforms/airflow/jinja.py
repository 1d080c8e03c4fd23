"""Arguments as Airflow's templates: locations stand in them as they are, and a run's params where it renders them.

Whatever else a user wrote means itself: Airflow's own templates, and the names of template files, are kept from it.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from anabranch.platforms.process.placeholders import fill

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anabranch.model.pipeline import Pipeline, Step

_PARAM = re.compile("\ue000([^\ue000]*)\ue000")
_CODE = re.compile(r"\{+[%#]|\{{2,}|\{(?=\r|\n?\Z)|\r\n?|\n\Z")
_FILE = re.compile(r"\.(json|json-tpl|ya?ml|sh|bash)$")
"""How the names of template files end, for one operator or another."""
_NOTHING = "{{ '' }}"


@dataclass(frozen=True)
class Filling:
    """What takes the place of placeholders: text by placeholder, where a param is its name between two marks."""

    values: Mapping[str, str]

    def template(self, text: str) -> str:
        """Return a template that renders to an argument.

        An operator takes what ends like a template file, such as `rows.json`, for the name of one, and Jinja drops a
        line's end at the end: something that renders to nothing stands behind both.

        >>> Filling({"out.legs": "s3://lake/legs.json"}).template("--out=${out.legs}")
        "--out=s3://lake/legs.json{{ '' }}"
        >>> Filling({"params.day": marked("day")}).template("{{ ds }} is not ${params.day}")
        "{{ '{{' }} ds }} is not {{ params['day'] }}"
        """
        return literal(fill(text, self.values))

    def expression(self, text: str) -> str:
        """Return an expression of Jinja that is the argument.

        >>> Filling({"params.day": marked("day")}).expression("day=${params.day}")
        "'day=' ~ params['day']"
        """
        parts = _PARAM.split(fill(text, self.values))
        told = [f"params[{_text(part)}]" if i % 2 else _text(part) for i, part in enumerate(parts) if i % 2 or part]
        return " ~ ".join(told) or "''"

    def json(self, arguments: Mapping[str, str]) -> str:
        """Return a template that renders to a JSON object, whatever characters a param's value has.

        >>> Filling({"params.day": marked("day")}).json({"day": "${params.day}"})
        "{{ {'day': params['day']} | tojson }}"
        """
        filled = {name: fill(text, self.values) for name, text in arguments.items()}
        if not any(_PARAM.search(text) for text in filled.values()):
            return _CODE.sub(_kept, json.dumps(filled, ensure_ascii=False))
        told = ", ".join(f"{_text(name)}: {self.expression(text)}" for name, text in arguments.items())
        return f"{{{{ {{{told}}} | tojson }}}}"


def filling(pipeline: Pipeline, step: Step, root: str) -> Filling:
    """Return what takes the place of a step's placeholders in one namespace.

    Args:
        pipeline: as it is compiled: in a branch, what it does not write itself is bound to main's storage.
        step: one of it.
        root: of the namespace's datasets, as the workers see it.
    """
    written = {port.dataset for each in pipeline.steps for port in each.outputs}
    values = {f"params.{param.name}": marked(param.name) for param in pipeline.params}
    for where, ports in (("in", step.reads), ("out", step.outputs)):
        for port in ports:
            spec = pipeline.dataset_by_name[port.dataset]
            home = spec.bound.root if spec.bound and spec.name not in written else root
            values[f"{where}.{port.name}"] = f"{home.rstrip('/')}/{spec.location}"
    return Filling(values)


def literal(text: str) -> str:
    """Return a template that renders to a text in which nothing but a marked param means anything."""
    parts = _PARAM.split(text)
    for i, part in enumerate(parts):
        parts[i] = f"{{{{ params[{_text(part)}] }}}}" if i % 2 else _CODE.sub(_kept, part)
    whole = "".join(parts)
    return f"{whole}{_NOTHING}" if _FILE.search(whole) else whole


def marked(param: str) -> str:
    """Return what stands for a param until its template is written."""
    return f"\ue000{param}\ue000"


def _kept(found: re.Match[str]) -> str:
    return f"{{{{ {_text(found[0])} }}}}"


def _text(text: str) -> str:
    """Return a text as Jinja writes one, in the quotes that are easier to read within a Python text."""
    plain = text.isprintable() and "'" not in text and "\\" not in text
    return f"'{text}'" if plain else json.dumps(text, ensure_ascii=False)
