from __future__ import annotations

from typing import Any

import pytest
from tests.code.trees import python

from anabranch.code.fingerprint import reasons

BASE = {
    "flights.py": """
        import polars as pl
        import helpers
        from helpers import tidy as neat
        from pkg import tools
        from .near import close
        LATE = 15
        OTHER = 1
        def used(x, by=LATE):
            return x + by
        def unused(x):
            return x + OTHER
        class Kind:
            size = 3
            def grow(self):
                return used(self.size)
        try:
            import fast
            SPEED = fast.SPEED
        except ImportError:
            SPEED = 2
        def clean(flights):
            return neat(flights) + helpers.trim(flights) + tools.sharpen(flights) + Kind().grow() + SPEED
        def other(flights):
            return unused(flights) + helpers.spare(flights) + close(flights)
    """,
    "helpers.py": """
        from deeper import FAR
        def tidy(x):
            return trim(x) * FAR
        def trim(x):
            return tidy(x) if x else 1
        def spare(x):
            return 5
    """,
    "deeper.py": "FAR = 7\nNEAR = 8\n",
    "near.py": "def close(x):\n    return 9\n",
    "pkg/__init__.py": "",
    "pkg/tools.py": """
        from . import steel
        from .inner import *
        def sharpen(x):
            return steel.EDGE + rough(x)
    """,
    "pkg/steel.py": "EDGE = 11\nHANDLE = 12\n",
    "pkg/inner.py": "def rough(x):\n    return 13\ndef smooth(x):\n    return 14\n",
}


def changed(file: str, old: str, new: str, entry: str = "flights:clean") -> tuple[str, ...]:
    """Return the reasons that replacing some text gives."""
    assert old in BASE[file]
    after = {**BASE, file: BASE[file].replace(old, new)}
    return reasons(python(BASE, entry), python(after, entry))


@pytest.mark.parametrize(
    "file, old, new, why",
    [
        ("flights.py", "neat(flights) +", "neat(flights) -", "code of clean() changed"),
        ("flights.py", "LATE = 15", "LATE = 16", "code of LATE changed"),
        ("flights.py", "x + by", "x - by", "code of used() changed"),
        ("flights.py", "size = 3", "size = 4", "code of Kind changed"),
        ("flights.py", "SPEED = 2", "SPEED = 3", "code of SPEED changed"),
        ("flights.py", "x, by=LATE", "x, by: int = LATE", "code of used() changed"),
        ("helpers.py", "* FAR", "/ FAR", "code of helpers.tidy() changed"),
        ("helpers.py", "else 1", "else 2", "code of helpers.trim() changed"),
        ("deeper.py", "7", "6", "code of deeper.FAR changed"),
        ("pkg/tools.py", "EDGE +", "EDGE -", "code of pkg.tools.sharpen() changed"),
        ("pkg/steel.py", "11", "10", "code of pkg.steel.EDGE changed"),
        ("pkg/inner.py", "13", "12", "code of pkg.inner.rough() changed"),
    ],
)
def test_what_a_function_uses_counts_wherever_it_is_written(file: str, old: str, new: str, why: str) -> None:
    assert changed(file, old, new) == (why,)


@pytest.mark.parametrize(
    "file, old, new",
    [
        ("flights.py", "OTHER = 1", "OTHER = 2"),
        ("flights.py", "x + OTHER", "x - OTHER"),
        ("flights.py", "unused(flights) +", "unused(flights) -"),
        ("helpers.py", "return 5", "return 6"),
        ("deeper.py", "NEAR = 8", "NEAR = 9"),
        ("near.py", "9", "8"),
        ("pkg/steel.py", "12", "13"),
        ("pkg/inner.py", "14", "15"),
    ],
)
def test_what_a_function_does_not_use_does_not_count_though_it_is_in_the_same_file(
    file: str, old: str, new: str
) -> None:
    assert changed(file, old, new) == ()


def test_a_file_with_ten_steps_changes_one_fingerprint() -> None:
    def source(third: int) -> str:
        return "".join(f"def s{i}(x):\n    return x + {third if i == 3 else 1}\n" for i in range(10))

    moved = [i for i in range(10) if reasons(python(source(1), f"flights:s{i}"), python(source(2), f"flights:s{i}"))]
    assert moved == [3]


@pytest.mark.parametrize(
    "first, second",
    [
        ("LATE = 1\n", "LATE = 2\n"),
        ("LATE: int = 1\n", "LATE: int = 2\n"),
        ("LATE = 1\nLATE += 1\n", "LATE = 1\nLATE += 2\n"),
        ("LATE = []\nLATE.append(1)\n", "LATE = []\nLATE.append(2)\n"),
        ("LATE = {}\nLATE['a'] = 1\n", "LATE = {}\nLATE['a'] = 2\n"),
        ("LATE = {}\nfor a in 'abc':\n    LATE[a] = 1\n", "LATE = {}\nfor a in 'abc':\n    LATE[a] = 2\n"),
        ("for a in 'abc':\n    LATE = a\n", "for a in 'abd':\n    LATE = a\n"),
        ("with open_() as f:\n    LATE = 1\n", "with open_() as f:\n    LATE = 2\n"),
        ("LATE, B = 1, 2\n", "LATE, B = 3, 2\n"),
        ("if (LATE := 1):\n    pass\n", "if (LATE := 2):\n    pass\n"),
        ("match 1:\n    case LATE:\n        pass\n", "match 2:\n    case LATE:\n        pass\n"),
        ("LATE = 1\nif LATE:\n    del LATE\n    LATE = 3\n", "LATE = 1\nif LATE:\n    del LATE\n    LATE = 4\n"),
        ("def LATE():\n    return 1\n", "def LATE():\n    return 2\n"),
        ("LATE = lambda: 1\n", "LATE = lambda: 2\n"),
        ("class B:\n    a = 1\nclass LATE(B):\n    pass\n", "class B:\n    a = 2\nclass LATE(B):\n    pass\n"),
        ("def w(f):\n    return f\n@w\ndef LATE(): pass\n", "def w(f):\n    return 1\n@w\ndef LATE(): pass\n"),
        ("if print():\n    LATE = 1\nelse:\n    LATE = 2\n", "if print():\n    LATE = 1\nelse:\n    LATE = 3\n"),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "use",
    [
        "def clean(x):\n    return LATE\n",
        "def clean(x, by=LATE):\n    return by\n",
        "def clean(LATE=LATE):\n    return LATE\n",
        "def clean(x: LATE):\n    return x\n",
        "def clean(x) -> LATE:\n    return x\n",
        "def clean(x):\n    return [LATE for _ in x]\n",
        "def clean(x):\n    return [LATE for LATE in x] + [LATE]\n",
        "def clean(x):\n    return (lambda LATE: LATE)(LATE)\n",
        "def clean(x):\n    def inner(LATE):\n        return LATE\n    return inner(LATE)\n",
        "def clean(x):\n    def inner():\n        LATE = 2\n        return LATE\n    return inner() + LATE\n",
        "def clean(x):\n    def inner():\n        return LATE\n    return inner()\n",
        "def clean(x):\n    class Inner:\n        a = LATE\n    return Inner\n",
        "def clean(x):\n    class Inner:\n        LATE = LATE\n    return Inner\n",
        "def clean(x):\n    class K:\n        LATE = 1\n        def f(self):\n            return LATE\n    return K\n",
        "def clean(x):\n    global LATE\n    LATE = LATE\n    return LATE\n",
        "def clean(x):\n    return f'{LATE}'\n",
        "@print(LATE)\ndef clean(x):\n    return x\n",
        "async def clean(x):\n    return LATE\n",
        "def clean(x):\n    match x:\n        case LATE.a:\n            return 1\n",
    ],
)
def test_however_a_name_is_bound_and_used_it_counts(first: str, second: str, use: str) -> None:
    assert reasons(python(first + use), python(second + use))


@pytest.mark.parametrize(
    "use",
    [
        "def clean(LATE):\n    return LATE\n",
        "def clean(*LATE):\n    return LATE\n",
        "def clean(**LATE):\n    return LATE\n",
        "def clean(x):\n    LATE = x\n    return LATE\n",
        "def clean(x):\n    return [LATE for LATE in x]\n",
        "def clean(x):\n    return lambda LATE: LATE\n",
        "def clean(x):\n    for LATE in x:\n        yield LATE\n",
        "def clean(x):\n    with x as LATE:\n        return LATE\n",
        "def clean(x):\n    try:\n        return 1\n    except ValueError as LATE:\n        return LATE\n",
        "def clean(x):\n    import json as LATE\n    return LATE\n",
        "def clean(x):\n    def LATE():\n        return 1\n    return LATE()\n",
        "def clean(x):\n    def inner(LATE):\n        return LATE\n    return inner(x)\n",
        "def clean(x):\n    LATE = 1\n    def inner():\n        return LATE\n    return inner()\n",
        "def clean(x):\n    match x:\n        case [LATE, *_]:\n            return LATE\n",
        "def clean(x):\n    return x.LATE\n",
        "def clean(x):\n    return dict(LATE=x)\n",
    ],
)
def test_a_local_name_hides_the_modules(use: str) -> None:
    assert python("LATE = 1\n" + use).digest == python("LATE = 2\n" + use).digest


F_AND_G = "def f(x):\n    return 1\ndef g(x):\n    return 2\n"
IMPORTS: list[tuple[str, str, dict[str, str]]] = [
    ("import lib", "lib.f(x)", {"lib.py": F_AND_G}),
    ("import lib as l", "l.f(x)", {"lib.py": F_AND_G}),
    ("from lib import f", "f(x)", {"lib.py": F_AND_G}),
    ("from lib import *", "f(x)", {"lib.py": F_AND_G}),
    ("import a.b.c", "a.b.c.f(x)", {"a/b/c.py": F_AND_G}),
    ("import a.b.c as c", "c.f(x)", {"a/b/c.py": F_AND_G}),
    ("from a.b import c", "c.f(x)", {"a/b/c.py": F_AND_G}),
    ("from a import b", "b.c.f(x)", {"a/b/__init__.py": "from . import c\n", "a/b/c.py": F_AND_G}),
    ("from a import f", "f(x)", {"a/__init__.py": "from .b import f, g\n", "a/b.py": F_AND_G}),
    ("import a", "a.f(x)", {"a/__init__.py": "from .b import *\n", "a/b.py": F_AND_G}),
    ("from a import h", "h(x)", {"a/__init__.py": "from .b import f as h, g\n", "a/b.py": F_AND_G}),
    ("import a", "a.h.f(x)", {"a/__init__.py": "import lib as h\n", "lib.py": F_AND_G}),
    ("try:\n    import lib\nexcept ImportError:\n    lib = None", "lib.f(x)", {"lib.py": F_AND_G}),
    ("import lib\nf = lib.f", "f(x)", {"lib.py": F_AND_G}),
]  # fmt: skip


@pytest.mark.parametrize("statement, use, files", IMPORTS)
@pytest.mark.parametrize("local", [False, True])
def test_every_way_to_import_leads_to_the_symbol_and_no_further(
    statement: str, use: str, files: dict[str, str], local: bool
) -> None:
    if local and ("*" in statement or "\n" in statement):
        pytest.skip("Python has no such statement in a function, or it is written for the top level")
    inner = f"    {statement}\n" if local else ""
    main = ("" if local else f"{statement}\n") + f"def clean(x):\n{inner}    return {use}\n"

    def after(old: str, new: str) -> dict[str, str]:
        return {"flights.py": main, **{name: text.replace(old, new) for name, text in files.items()}}

    before = python(after("", ""))
    assert before.impure == ()
    assert reasons(before, python(after("return 1", "return 3")))
    assert reasons(before, python(after("return 2", "return 3"))) == ()


def test_a_renamed_local_module_is_noticed_by_name() -> None:
    before = python({"flights.py": "import a\ndef clean(x):\n    return a.f(x)\n", "a.py": "def f(x): return 1\n"})
    after = python({"flights.py": "import b\ndef clean(x):\n    return b.f(x)\n", "b.py": "def f(x): return 1\n"})
    assert reasons(before, after) == (
        "code of a.f() is not used any more",
        "code of b.f() is new",
        "code of clean() changed",
    )


@pytest.mark.parametrize(
    "effect",
    [
        "pl.Config.set_tbl_rows({})",
        "OPTIONS['a'] = {}",
        "pl.something = {}",
        "for each in range({}):\n    pl.Config.set(each)",
        "if pl.ready:\n    pl.Config.set({})",
        "with pl.open() as f:\n    pl.Config.set({})",
        "while pl.more():\n    pl.Config.set({})",
        "try:\n    NAME = pl.Config.set({})\nexcept ValueError:\n    pl.stop()",
        "assert pl.check({})",
    ],
)
def test_what_a_module_does_when_it_is_imported_counts_for_all_that_is_used_of_it(effect: str) -> None:
    def files(value: int) -> dict[str, str]:
        return {
            "flights.py": "from helpers import tidy\ndef clean(x):\n    return tidy(x)\n",
            "helpers.py": f"import polars as pl\nOPTIONS = {{}}\n{effect.format(value)}\ndef tidy(x):\n    return x\n",
        }

    assert reasons(python(files(1)), python(files(2))) == ("code of importing helpers changed",)


def test_effects_of_packages_on_the_way_and_of_imports_for_their_effect_count() -> None:
    def files(package: int, other: int) -> dict[str, str]:
        return {
            "flights.py": "import pkg.mod\nimport settings\ndef clean(x):\n    return pkg.mod.f(x)\n",
            "pkg/__init__.py": f"import polars as pl\npl.Config.set({package})\n",
            "pkg/mod.py": "def f(x):\n    return x\n",
            "settings.py": f"import polars as pl\npl.Config.set({other})\n",
        }

    assert reasons(python(files(1, 1)), python(files(2, 1))) == ("code of importing pkg changed",)
    assert reasons(python(files(1, 1)), python(files(1, 2))) == ("code of importing settings changed",)


def test_what_only_defines_pipelines_and_what_only_a_script_runs_does_not_count() -> None:
    def source(text: str) -> str:
        return f"""
import anabranch as ab
from anabranch import Dataset, pipeline, step
legs = Dataset("legs", description="{text}")
@step(reads="{text}", writes=legs)
def clean(x):
    return x
pipeline("{text}", [clean])
for name in ["{text}"]:
    ab.pipeline(name, [clean])
if __name__ == "__main__":
    print("{text}")
"""

    assert python(source("a")).digest == python(source("b")).digest


def test_words_for_people_in_a_dataset_that_code_uses_do_not_count_but_columns_do() -> None:
    def source(words: str, column: str) -> str:
        return f"""
from anabranch import Dataset
legs = Dataset("legs", columns={{"{column}": "int64"}}, description="{words}")
def clean(x):
    return x.select(legs.spec.columns)
"""

    before = python(source("a", "b"))
    assert before.digest == python(source("c", "b")).digest
    assert reasons(before, python(source("a", "d"))) == ("code of legs changed",)


@pytest.mark.parametrize(
    "module, distribution",
    [("polars", "polars"), ("yaml", "pyyaml"), ("nowhere_at_all", "nowhere-at-all")],
)
@pytest.mark.parametrize(
    "source",
    [
        "import {0}\ndef clean(x):\n    return {0}.f(x)\n",
        "import {0}.sub as p\ndef clean(x):\n    return p.f(x)\n",
        "from {0} import f\ndef clean(x):\n    return f(x)\n",
        "from {0}.sub import *\ndef clean(x):\n    return f(x)\n",
        "def clean(x):\n    import {0}\n    return {0}.f(x)\n",
        "import {0}\ndef helper(x):\n    return {0}.f(x)\ndef clean(x):\n    return helper(x)\n",
    ],
)
def test_a_library_that_the_code_uses_counts_by_its_version(source: str, module: str, distribution: str) -> None:
    text = source.format(module)
    known = python(text, libraries={distribution: "1.0"})
    assert dict(known.parts)[f"library {distribution}"] == "1.0"
    assert reasons(known, python(text, libraries={distribution: "2.1"})) == (f"library {distribution} 1.0 -> 2.1",)
    assert dict(python(text, libraries={}).parts)[f"library {distribution}"] == "?"


def test_a_library_that_other_code_uses_does_not_count_nor_does_the_standard_library() -> None:
    source = "import json\nimport polars\ndef clean(x):\n    return json.dumps(x)\ndef b(x):\n    return polars.f(x)\n"
    assert [name for name, _ in python(source).parts if name.startswith("library")] == []


def test_only_for_type_checkers_does_not_count() -> None:
    def source(name: str) -> str:
        return f"""
from __future__ import annotations
from typing import TYPE_CHECKING
if TYPE_CHECKING:
    from {name} import Frame
def clean(x):
    if TYPE_CHECKING:
        import {name}
    return x
"""

    assert python(source("polars")).digest == python(source("pandas")).digest


BROKEN: list[tuple[dict[str, str | bytes], str]] = [
    ({}, "there is no module flights in the project"),
    ({"flights.py": "x = 1\n"}, "flights.py has no clean"),
    ({"flights.py": "from lib import *\n", "lib.py": ""}, "flights.py has no clean"),
    ({"flights.py": "def clean(:\n"}, "flights.py cannot be parsed"),
    ({"flights.py": b"\x00"}, "flights.py cannot be parsed"),
    ({"flights.py": "import lib\ndef clean(x):\n    return lib.f()\n", "lib.py": "def ("}, "lib.py cannot be parsed"),
    ({"flights.py": "from lib import f\ndef clean(x):\n    return f()\n", "lib.py": ""}, "lib.py has no f"),
    ({"flights.py": f"def clean(x):\n    return {'+'.join(['x'] * 5000)}\n"}, "is nested too deeply to be followed"),
    ({"flights.py": f"def clean(x):\n    return {'(' * 500}x{')' * 500}\n"}, "flights.py cannot be parsed"),
]


@pytest.mark.parametrize("files, why", BROKEN)
def test_what_cannot_be_followed_is_said_and_never_raised(files: dict[str, str | bytes], why: str) -> None:
    found: Any = python(files).impure
    assert any(why in each for each in found), found


@pytest.mark.parametrize("entry", ["flights:Kind.grow", "flights:Kind.Inner.f"])
def test_an_entry_within_a_class_is_followed(entry: str) -> None:
    def source(value: int) -> str:
        inner = f"    class Inner:\n        def f(x):\n            return {value}\n"
        return f"class Kind:\n{inner}    def grow(x):\n        return 1\n"

    assert python(source(1), entry).impure == ()
    assert reasons(python(source(1), entry), python(source(2), entry)) == ("code of Kind changed",)


@pytest.mark.parametrize("depth", [50, 90, 150, 200, 250, 300, 400, 600, 900, 1500, 3000])
def test_code_of_any_depth_is_followed_or_said_to_be_too_deep(depth: int) -> None:
    def source(value: int) -> str:
        return f"def clean(x):\n    return {' + '.join(['x'] * depth)} + {value}\n"

    before, after = python(source(1)), python(source(2))
    assert before.impure == after.impure
    if before.impure:
        assert before.impure == ("flights.py is nested too deeply to be followed",)
    else:
        assert reasons(before, after) == ("code of clean() changed",)


def test_a_name_that_was_not_imported_is_not_taken_from_a_module_that_has_it() -> None:
    def files(value: int) -> dict[str, str]:
        lib = f"def f(x):\n    return 1\ndef max(x):\n    return {value}\n"
        return {"flights.py": "from lib import f\ndef clean(x):\n    return max(f(x))\n", "lib.py": lib}

    assert python(files(1)).digest == python(files(2)).digest


def test_a_library_behind_a_star_in_another_module_counts() -> None:
    files = {
        "flights.py": "from lib import col\ndef clean(x):\n    return col(x)\n",
        "lib.py": "from polars import *\n",
    }
    assert dict(python(files).parts)["library polars"] == "1.0"
    assert python(files).impure == ()


@pytest.mark.parametrize("folder", ["yaml", "polars", "json"])
def test_a_folder_without_modules_is_no_package(folder: str) -> None:
    source = f"import {folder}\ndef clean(x):\n    return {folder}.load(x)\n"
    assert python({"flights.py": source}).parts == python({"flights.py": source, f"{folder}/a.txt": ""}).parts
