from __future__ import annotations

import pytest
from tests.code.trees import python

from anabranch.model.pipeline import Needs

IMPURE = [
    ("import importlib", "importlib.import_module(x)", "imports a module by a computed name, at flights.py:3"),
    ("", "__import__(x)", "imports a module by a computed name, at flights.py:3"),
    ("", "exec(x)", "calls exec(), whose code is not known before it runs, at flights.py:3"),
    ("", "eval('x')", "calls eval(), whose code is not known"),
    ("", "compile(x, '', 'exec')", "calls compile(), whose code is not known"),
    ("", "globals()[x]", "calls globals(), whose code is not known"),
    ("import helpers", "getattr(helpers, x)", "takes a computed name from helpers, at flights.py:3"),
    ("import polars as pl", "getattr(pl, x)", "takes a computed name from polars"),
    ("import requests", "requests.get(x)", "calls requests.get(), which reaches outside"),
    ("import requests as r", "r.get(x)", "calls requests.get(), which reaches outside"),
    ("from requests import get", "get(x)", "calls requests.get(), which reaches outside"),
    ("import requests", "map(requests.get, x)", "uses requests.get, which reaches outside"),
    ("import requests", "requests.Session().get(x)", "calls requests.Session(), which reaches outside"),
    ("from compat import requests", "requests.get(x)", "calls requests.get(), which reaches outside"),
    ("import httpx", "httpx.post(x)", "calls httpx.post()"),
    ("import urllib.request", "urllib.request.urlopen(x)", "calls urllib.request.urlopen()"),
    ("from urllib import request", "request.urlopen(x)", "calls urllib.request.urlopen()"),
    ("import socket", "socket.create_connection(x)", "calls socket.create_connection()"),
    ("import boto3", "boto3.client('s3')", "calls boto3.client()"),
    ("import smtplib", "smtplib.SMTP(x)", "calls smtplib.SMTP()"),
    ("import ftplib", "ftplib.FTP(x)", "calls ftplib.FTP()"),
    ("import psycopg", "psycopg.connect(x)", "calls psycopg.connect()"),
    ("import sqlalchemy as sa", "sa.create_engine(x)", "calls sqlalchemy.create_engine()"),
    ("import subprocess", "subprocess.run(x)", "calls subprocess.run()"),
    ("import os", "os.system(x)", "calls os.system()"),
    ("import os", "os.environ['HOME']", "reads the variable HOME, which it does not declare, at flights.py:3"),
    ("import os", "os.environ.get('HOME', 1)", "reads the variable HOME, which it does not declare"),
    ("import os", "os.getenv('HOME')", "reads the variable HOME, which it does not declare"),
    ("from os import environ as e", "e['HOME']", "reads the variable HOME, which it does not declare"),
    ("from os import getenv", "getenv('HOME')", "reads the variable HOME, which it does not declare"),
    ("import os", "'HOME' in os.environ", "reads the variable HOME, which it does not declare"),
    ("import os", "os.environ[x]", "reads a variable by a computed name"),
    ("import os", "dict(os.environ)", "reads all environment variables"),
    ("import os", "os.environ.items()", "reads all environment variables"),
    ("import os", "os.path.expandvars('$HOME')", "reads all environment variables"),
]
PURE = [
    ("import importlib", "importlib.import_module('helpers').f(x)"),
    ("import re", "re.compile(x)"),
    ("", "x.eval()"),
    ("", "getattr(x, x)"),
    ("import helpers", "getattr(helpers, 'f')(x)"),
    ("def exec(x): return x", "exec(x)"),
    ("import requests", "isinstance(x, requests.RequestException)"),
    ("from urllib.parse import quote", "quote(x)"),
    ("import urllib.parse", "urllib.parse.quote(x)"),
    ("import os", "os.environ['ANABRANCH_RUN']"),
    ("import os", "os.environ['DECLARED']"),
    ("import os", "os.getenv('SECRET')"),
    ("import os", "os.path.join(x, 'a')"),
    ("import os", "os.environ.update(A='b')"),
]


def body(before: str, use: str) -> dict[str, str]:
    source = f"{before}\ndef clean(x):\n    return {use}\n"
    return {"flights.py": source, "helpers.py": "def f(x): return x\n", "compat.py": "import requests\n"}


@pytest.mark.parametrize("before, use, why", IMPURE)
@pytest.mark.parametrize("local", [False, True])
def test_what_a_fingerprint_cannot_cover_is_told_with_its_place(before: str, use: str, why: str, local: bool) -> None:
    files = body("", f"1\n    {before}\n    return {use}") if local else body(before, use)
    found = python(files).impure
    assert len(found) == 1
    expected = why.partition(", at ")[0] if local else why
    assert found[0].startswith(expected)


@pytest.mark.parametrize("before, use", PURE)
def test_what_only_looks_like_it_is_not_told(before: str, use: str) -> None:
    needs = Needs(env=(("DECLARED", "a"),), secrets=(("SECRET", "secret://a/b"),))
    found = python(body(before, use), needs=needs)
    assert (found.impure, found.random) == ((), ())


@pytest.mark.parametrize(
    "before, use",
    [
        ("", "def clean(requests):\n    return requests.get(1)\n"),
        ("import requests", "def clean(x):\n    return x\ndef other(x):\n    return requests.get(x)\n"),
        ("import requests", "def clean(requests):\n    return requests.get(1)\n"),
        ("import requests", "def clean(x: requests.session) -> requests.session:\n    return x\n"),
        ("import requests", "def clean(x):\n    y: requests.session = x\n    return y\n"),
        ("", "def clean(x):\n    random = x\n    return random.choice(x)\n"),
        ("class time:\n    def time(): return 1", "def clean(x):\n    return time.time()\n"),
        ("import os", "def clean(x):\n    os.environ['TZ'] = 'UTC'\n    del os.environ['TZ']\n    return x\n"),
        (
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import requests",
            "def clean(x: requests.get): ...\n",
        ),
        ("from anabranch import step\nimport os", "@step(env={'A': os.environ['HOME']})\ndef clean(x): ...\n"),
    ],
)
def test_only_what_a_step_reaches_and_means_is_looked_at(before: str, use: str) -> None:
    found = python(f"{before}\n{use}")
    assert (found.impure, found.random) == ((), ())


@pytest.mark.parametrize(
    "before, use, why",
    [
        ("import time", "time.time()", "calls time.time(), at flights.py:3"),
        ("from datetime import datetime", "datetime.now()", "calls datetime.datetime.now(), at flights.py:3"),
        ("import datetime as dt", "dt.datetime.utcnow()", "calls datetime.datetime.utcnow()"),
        ("import datetime", "datetime.datetime.today()", "calls datetime.datetime.today()"),
        ("from datetime import date", "date.today()", "calls datetime.date.today()"),
        ("import random", "random.choice(x)", "calls random.choice()"),
        ("from random import *", "choice(x)", "calls random.choice()"),
        ("import random", "random.Random()", "calls random.Random()"),
        ("import random", "sorted(x, key=random.random)", "uses random.random"),
        ("import uuid", "uuid.uuid4()", "calls uuid.uuid4()"),
        ("import uuid", "uuid.uuid1()", "calls uuid.uuid1()"),
        ("import secrets", "secrets.token_hex()", "calls secrets.token_hex()"),
        ("import numpy as np", "np.random.rand(3)", "calls numpy.random.rand()"),
        ("import numpy as np", "np.random.default_rng()", "calls numpy.random.default_rng()"),
        ("import os", "os.urandom(3)", "calls os.urandom()"),
        ("", "x.sample(3)", "calls .sample() without a seed, at flights.py:3"),
        ("", "x.a().sample(fraction=0.1)", "calls .sample() without a seed"),
    ],
)
def test_what_may_differ_each_time_is_told(before: str, use: str, why: str) -> None:
    found = python(body(before, use))
    assert found.impure == ()
    assert len(found.random) == 1
    assert found.random[0].startswith(why)


@pytest.mark.parametrize(
    "before, use",
    [
        ("from datetime import datetime", "datetime.fromisoformat(x)"),
        ("from datetime import date", "date(2013, 1, 5)"),
        ("import time", "time.sleep(1)"),
        ("import uuid", "uuid.uuid5(x, x)"),
        ("import numpy as np", "np.random.default_rng(42).normal()"),
        ("import random", "random.Random(42).choice(x)"),
        ("", "x.sample(3, seed=1)"),
        ("", "x.sample(3, random_state=1)"),
    ],
)
def test_what_is_the_same_each_time_is_not_told(before: str, use: str) -> None:
    found = python(body(before, use))
    assert (found.impure, found.random) == ((), ())


def test_a_literal_import_by_name_is_followed() -> None:
    def files(value: int) -> dict[str, str]:
        source = "import importlib\ndef clean(x):\n    return importlib.import_module('pkg.mod').f(x)\n"
        return {"flights.py": source, "pkg/__init__.py": "", "pkg/mod.py": f"def f(x): return {value}\n"}

    assert python(files(1)).impure == ()
    assert python(files(1)).digest != python(files(2)).digest


def test_what_a_helper_does_is_told_of_every_step_that_uses_it_and_of_no_other() -> None:
    source = "import helpers\ndef clean(x):\n    return helpers.load(x)\ndef other(x):\n    return helpers.tidy(x)\n"
    helpers = "import requests\ndef load(x):\n    return requests.get(x)\ndef tidy(x):\n    return x\n"
    files = {"flights.py": source, "helpers.py": helpers}
    assert python(files).impure == ("calls requests.get(), which reaches outside of its ports, at helpers.py:3",)
    assert python(files, "flights:other").impure == ()
