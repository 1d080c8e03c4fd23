"""Pipelines written in Python: plain functions in, the one model out."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from itertools import count
from typing import TYPE_CHECKING

import pytest

from anabranch.frontends.python import PythonFrontend
from anabranch.model.errors import InvalidProject
from anabranch.model.pipeline import DatasetInput, Pipeline, ValueInput
from anabranch.model.values import ListOf, Record, Scalar

if TYPE_CHECKING:
    from pathlib import Path

numbers = count()


def read(root: Path, body: str, attribute: str = "p") -> Pipeline:
    """Lower the pipeline `p` of a module with this body."""
    name = f"module_{next(numbers)}"
    head = "from __future__ import annotations\nfrom dataclasses import dataclass\nfrom datetime import date\n"
    head += "from pathlib import Path\nfrom anabranch import *\n"
    (root / f"{name}.py").write_text(head + textwrap.dedent(body))
    return PythonFrontend().read(root, f"{name}:{attribute}")[0]


def problems(root: Path, body: str) -> dict[str, str]:
    """Return the codes and messages that lowering raises."""
    with pytest.raises(InvalidProject) as caught:
        read(root, body)
    return {each.code: each.message for each in caught.value.diagnostics}


def test_a_step_stays_a_plain_callable(tmp_path: Path) -> None:
    """Name, docstring and behaviour are the function's own."""
    read(
        tmp_path,
        '''
        @step(writes=Dataset("d"))
        def double(x: int = 1) -> int:
            """Twice as much."""
            return 2 * x
        assert double(4) == 8 and double.__name__ == "double" and double.__doc__ == "Twice as much."
        p = pipeline("p", [double])
        ''',
    )


def test_parameters_become_ports_by_name(tmp_path: Path) -> None:
    """Read datasets, params, written locations and values are told apart."""
    pipe = read(
        tmp_path,
        """
        a = Dataset("a", columns={"k": "int"})
        b = Dataset("b")
        @step(reads=a.needs("k"), writes=b)
        def f(a: object, day: date, b: Path, event: dict[str, int]) -> None: ...
        p = pipeline("p", f, params={"day": date(2013, 1, 5)})
        """,
    )
    only = pipe.steps[0]
    assert [type(port) for port in only.inputs] == [DatasetInput, ValueInput]
    assert only.reads[0].columns == ("k",)
    assert only.params == ("day",)
    assert only.value is None
    assert pipe.params[0].default == "2013-01-05"
    assert only.place is not None
    assert only.place.file.startswith("module_")


def test_values_flow_by_rshift_in_fan_out_and_fan_in(tmp_path: Path) -> None:
    """Each source fills one port, in order; a list takes all of them."""
    pipe = read(
        tmp_path,
        """
        @step
        def a() -> int: return 1
        @step
        def b(x: int) -> str: return ""
        @step
        def c(x: int) -> float: return 0.0
        @step
        def d(s: str, f: float) -> int: return 1
        @step
        def gather(items: list[float]) -> int: return 1
        p = pipeline("p", [a >> [b, c] >> d, [c, c] >> gather])
        """,
    )
    takes = {step.id: {port.name: port.sources for port in step.takes} for step in pipe.steps}
    assert takes["b"] == {"x": ("a",)}
    assert takes["d"] == {"s": ("b",), "f": ("c",)}
    assert takes["gather"] == {"items": ("c",)}
    assert pipe.step_by_id["gather"].takes[0].collect  # type: ignore[index]
    assert pipe.upstream["d"] == ("b", "c")  # type: ignore[index]


def test_annotations_become_value_types(tmp_path: Path) -> None:
    """Dataclasses, TypedDicts and pydantic models are records with their names and bases."""
    pipe = read(
        tmp_path,
        """
        from typing_extensions import TypedDict
        from pydantic import BaseModel
        @dataclass
        class D: x: int
        class T(TypedDict, total=False): y: str
        class M(BaseModel): ds: list[D]
        class N(M): ts: T | None = None
        @step
        def f(n: N) -> list[D]: return []
        p = pipeline("p", f)
        """,
    )
    kind = pipe.steps[0].takes[0].type
    assert isinstance(kind, Record)
    assert {field.name: field.required for field in kind.fields} == {"ds": True, "ts": False}
    assert [base.rpartition(":")[2] for base in kind.bases] == ["M"]
    assert pipe.steps[0].value is not None
    returned = pipe.steps[0].value.type
    assert isinstance(returned, ListOf)
    assert isinstance(returned.item, Record)
    assert returned.item.fields[0].type == Scalar("int")


def test_a_pipeline_can_be_part_of_another(tmp_path: Path) -> None:
    """Its steps are named below it, its edges and params come along, and data joins the two."""
    pipe = read(
        tmp_path,
        """
        a, b = Dataset("a"), Dataset("b")
        @step(writes=a)
        def make(n: int) -> object: ...
        inner = pipeline("inner", make, params={"n": 3})
        @step(reads=a, writes=b)
        def use(a: object) -> object: ...
        p = pipeline("p", [inner, use])
        """,
    )
    assert pipe.upstream["use"] == ("inner/make",)  # type: ignore[index]
    assert pipe.params[0].name == "n"


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    """With its code, in one error."""
    found = problems(
        tmp_path,
        """
        a = Dataset("a")
        @step(reads=a)
        def f(b: int, *rest: int) -> None: ...
        @step(name="f")
        def g() -> Missing: ...
        @step
        def h() -> None: ...
        @step(after=h)
        def i() -> None: ...
        def outer():
            @step
            def inside() -> None: ...
            return inside
        p = pipeline("p", [f, g, i, outer()])
        """,
    )
    assert set(found) == {
        "port-not-taken",
        "bad-parameter",
        "unresolved-annotation",
        "duplicate-step",
        "unknown-step",
        "not-importable",
    }


@pytest.mark.parametrize(
    "body, code",
    [
        ("import no_such_package\np = 1", "import-error"),
        ("1 / 0", "import-error"),
        ("def broken(:\n", "import-error"),
        ("q = 1", "missing-attribute"),
        ("p = 1", "not-a-pipeline"),
        ("p = pipeline('p', [shell('s', 'true')], schedule='* * * * *', trigger=S3ObjectCreated('b'))", "bad-pipeline"),
        ("Dataset('d', stage='cooked')", "bad-dataset"),
        ("Dataset('d', columns={'a': 'integre'})", "bad-dataset"),
        ("@step(tiemout=3)\ndef f() -> None: ...", "bad-step"),
        ("@step(timeout='3 fortnights')\ndef f() -> None: ...", "bad-step"),
        ("@step(name='1st load')\ndef f() -> None: ...", "bad-name"),
        ("@step\ndef größe() -> None: ...", "bad-name"),
        ("shell('a/b', 'true')", "bad-name"),
        ("shell('a\\n', 'true')", "bad-name"),
        ("Dataset('')", "bad-name"),
        ("pipeline('my daily é', shell('s', 'true'))", "bad-name"),
        (f"pipeline('{'p' * 129}', shell('s', 'true'))", "bad-name"),
        ("pipeline('p', shell('s', 'true'), params={'a b': 1})", "bad-name"),
    ],
)
def test_bad_python_is_told_with_its_place(tmp_path: Path, body: str, code: str) -> None:
    """The user's own line, not ours."""
    with pytest.raises(InvalidProject) as caught:
        read(tmp_path, body)
    told = caught.value.diagnostics[0]
    assert told.code == code
    assert told.hint
    if code not in {"missing-attribute", "not-a-pipeline"}:
        assert told.place is not None
        assert told.place.file.startswith("module_")
        assert told.place.line >= 6


def test_a_missing_module_names_the_closest(tmp_path: Path) -> None:
    """And where it was looked for."""
    (tmp_path / "steps_of_mine.py").write_text("")
    with pytest.raises(InvalidProject) as caught:
        PythonFrontend().read(tmp_path, "steps_of_min:p")
    assert caught.value.diagnostics[0].code == "missing-module"
    assert "steps_of_mine" in caught.value.diagnostics[0].hint


def test_looking_at_a_pipeline_does_not_load_data_libraries(tmp_path: Path) -> None:
    """With deferred imports, a module that imports polars costs nothing until it uses it."""
    (tmp_path / "jobs.py").write_text(
        "from __future__ import annotations\nimport polars as pl\nfrom anabranch import *\n"
        "@step(reads=Dataset('a'), writes=Dataset('b'))\n"
        "def f(a: pl.DataFrame) -> pl.DataFrame: return a.select(pl.all())\n"
        "p = pipeline('p', f)\n"
    )
    code = (
        "import sys, pathlib\nfrom anabranch.frontends.deferred import defer_data_libraries\n"
        "from anabranch.frontends.python import PythonFrontend\ndefer_data_libraries()\n"
        f"PythonFrontend().read(pathlib.Path({str(tmp_path)!r}), 'jobs:p')\n"
        "assert 'polars.dataframe' not in sys.modules\nimport polars\n"
        "assert polars.DataFrame({'a': [1]}).height == 1 and 'polars.dataframe' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
