from __future__ import annotations

import pytest
from tests.code.trees import python

from anabranch.code.fingerprint import reasons

HEAD = """import glob
import io
import os
from pathlib import Path
import pandas as pd
import polars as pl
import numpy as np
"""


def files(main: str, content: str = "1", folder: str = "") -> dict[str, str]:
    return {
        f"{folder}flights.py": HEAD + main,
        f"{folder}conf/a.csv": content,
        "paths.py": "from pathlib import Path\nCONF = Path(__file__).parent / 'conf'\n",
    }


READS = [
    "def clean(x):\n    return open('conf/a.csv').read()\n",
    "def clean(x):\n    return open(file='conf/a.csv').read()\n",
    "def clean(x):\n    with io.open('./conf/a.csv') as f:\n        return pl.read_csv(f)\n",
    "def clean(x):\n    return pl.read_csv('conf/a.csv')\n",
    "def clean(x):\n    return pl.scan_csv(source='conf/a.csv')\n",
    "def clean(x):\n    return pd.read_csv('conf/' + 'a.csv')\n",
    "def clean(x):\n    return np.load('conf/a.csv')\n",
    "def clean(x):\n    return pl.read_csv(['conf/a.csv'])\n",
    "def clean(x):\n    return [pl.read_csv(p) for p in ('conf/a.csv',)]\n",
    "def clean(x):\n    return Path('conf/a.csv').read_text()\n",
    "def clean(x):\n    return Path('conf', 'a.csv').read_bytes()\n",
    "def clean(x):\n    return (Path('conf') / 'a.csv').open()\n",
    "def clean(x):\n    return open(os.path.join('conf', 'a.csv'))\n",
    "def clean(x):\n    return open(os.path.join(os.path.dirname(__file__), 'conf', 'a.csv'))\n",
    "def clean(x):\n    return (Path(__file__).resolve().parent / 'conf' / 'a.csv').read_text()\n",
    "def clean(x):\n    path = 'conf/a.csv'\n    return open(path)\n",
    "PATH = Path('conf/a.csv')\ndef clean(x):\n    return PATH.open()\n",
    "PATH = Path('conf')\ndef clean(x):\n    return pl.read_csv(PATH / 'a.csv')\n",
    "def load(p):\n    return pl.read_csv(p)\ndef clean(x):\n    return load('conf/a.csv')\n",
    "def load(p='conf/a.csv'):\n    return pl.read_csv(p)\ndef clean(x):\n    return load()\n",
    "def load(a, *, p):\n    return pl.read_csv(p)\ndef clean(x):\n    return load(x, p='conf/a.csv')\n",
    "def load(p): return pl.read_csv(p)\ndef by(p):\n    return load(p)\ndef clean(x):\n    return by('conf/a.csv')\n",
    "def clean(x):\n    return [p.read_text() for p in Path('conf').glob('*.csv')]\n",
    "def clean(x):\n    return os.listdir('conf')\n",
    "def clean(x):\n    return open(f'conf/{x}.csv')\n",
    "def clean(x):\n    return open(Path('conf') / x)\n",
    "def clean(x):\n    if path := 'conf/a.csv':\n        return open(path)\n",
    "def clean(x):\n    for path in {'a': 'conf/a.csv'}.values():\n        return open({'a': 'conf/a.csv'}['a'])\n",
    "def clean(x):\n    return open('conf/a.csv' if x else './conf/a.csv')\n",
    "def clean(x, path='conf/a.csv'):\n    return open(path or 'conf/a.csv')\n",
    "import paths\ndef clean(x):\n    return pl.read_csv(paths.CONF / 'a.csv')\n",
    "from paths import CONF\ndef clean(x):\n    return pl.read_csv(CONF / 'a.csv')\n",
]


@pytest.mark.parametrize("main", READS)
def test_a_file_of_the_project_that_code_opens_counts_by_its_content(main: str) -> None:
    before = python(files(main))
    assert before.impure == ()
    assert reasons(before, python(files(main, "2"))) == ("file conf/a.csv changed",)


def test_a_path_from_the_modules_own_place_is_relative_to_it() -> None:
    main = "def clean(x):\n    return (Path(__file__).parent / 'conf/a.csv').read_text()\n"
    before, after = (python(files(main, content, "pkg/"), "pkg.flights:clean") for content in "12")
    assert before.impure == ()
    assert reasons(before, after) == ("file pkg/conf/a.csv changed",)
    main = "def clean(x):\n    return (Path(__file__).parents[1] / 'pkg/conf/a.csv').read_text()\n"
    assert python(files(main, "1", "pkg/"), "pkg.flights:clean").impure == ()


@pytest.mark.parametrize(
    "main, why",
    [
        ("def clean(x):\n    return open('/mnt/a.csv')\n", "opens /mnt/a.csv, which is no port, at flights.py:9"),
        ("def clean(x):\n    return pl.read_csv('s3://b/a.csv')\n", "opens s3://b/a.csv, which is no port"),
        ("def clean(x):\n    return open('missing.csv')\n", "opens missing.csv, which is no port"),
        ("def clean(x):\n    return open('../conf/a.csv')\n", "opens ../conf/a.csv, which is no port"),
        ("def clean(x):\n    return open(name())\n", "opens a file that is no port, at flights.py:9"),
        ("def clean(x):\n    return open(f'/mnt/{x}.csv')\n", "opens a file in /mnt, which is no port"),
        ("NAME = 'a' if print() else 'b'\ndef clean(x):\n    return open(NAME)\n", "opens a, which is no port"),
        ("def load(p): return pl.read_csv(p)\ndef clean(x):\n    return load('/mnt/a')\n", "opens /mnt/a, which is"),
        ("def load(p): return pl.read_csv(p)\ndef clean(x):\n    return load(y())\n", "opens a file that is no port"),
        ("def load(p): return open(p)\ndef clean(x):\n    return map(load, ['/a'])\n", "opens a file that is no port"),
        ("class L:\n    def __init__(self, p): self.f = open(p)\ndef clean(x):\n    return L('/a')\n", "opens a f"),
        ("def clean(x):\n    return open(name('conf/a.csv'))\n", "opens a file that is no port, at flights.py:9"),
        ("def clean(x):\n    return open('conf/a.csv'.replace('a', 'b'))\n", "opens a file that is no port"),
        ("def clean(x):\n    return open(Path('conf/a.csv').name)\n", "opens a file that is no port"),
        ("def clean(x):\n    return glob.glob('/mnt/*.csv')\n", "opens /mnt/*.csv, which is no port"),
        ("import sqlite3\ndef clean(x):\n    return sqlite3.connect('/a.db')\n", "opens /a.db, which is no port"),
    ],
)  # fmt: skip
def test_what_is_opened_besides_ports_and_the_project_is_told(main: str, why: str) -> None:
    found = python(files(main)).impure
    assert found
    assert found[0].startswith(why)


@pytest.mark.parametrize(
    "main",
    [
        "def clean(x):\n    return open(x)\n",
        "def clean(x: Path):\n    return x.read_text()\n",
        "def clean(x):\n    with x.open() as f:\n        return pl.read_csv(f)\n",
        "def clean(x):\n    return pl.read_csv(x / 'part.csv')\n",
        "def clean(x):\n    return pl.read_csv(f'{x}/part.csv')\n",
        "def clean(x):\n    return [open(p) for p in sorted(x.glob('*.csv'))]\n",
        "def clean(*, x=None):\n    path = Path(x)\n    return path.read_bytes()\n",
        "def clean(**x):\n    return open(x['path'])\n",
        "def load(p):\n    return pl.read_csv(p)\ndef clean(x):\n    return load(x)\n",
        "def load(p): return pl.read_csv(p)\ndef by(q):\n    return load(q)\ndef clean(x):\n    return by(Path(x))\n",
        "def load(p):\n    return load(p) if p else open(p)\ndef clean(x):\n    return load(x)\n",
        "def clean(x):\n    return pl.read_csv(io.StringIO('a,b'))\n",
        "def clean(x):\n    return open(name(x))\n",
        "def clean(x):\n    return open(x.path.replace('a', 'b'))\n",
        "def clean(x):\n    return open('a'.replace('a', x))\n",
        "def clean(x):\n    return x.glob\n",
        "def clean(x):\n    return np.loadtxt(x)\n",
        "import zipfile\ndef clean(x):\n    with zipfile.ZipFile(x) as z:\n        return z.open('a.csv')\n",
    ],
)
def test_what_a_parameter_of_the_step_names_is_declared(main: str) -> None:
    assert python(files(main)).impure == ()
