"""The examples in docstrings are true."""

from __future__ import annotations

import doctest
import pkgutil
from importlib import import_module

import pytest

import anabranch.cli
import anabranch.show
import anabranch.web

MODULES = [
    module.name
    for room in (anabranch.cli, anabranch.show, anabranch.web)
    for module in pkgutil.walk_packages(room.__path__, f"{room.__name__}.")
    if ".templates" not in module.name
]


@pytest.mark.parametrize("name", MODULES)
def test_docstrings_of_every_module_hold(name: str) -> None:
    assert doctest.testmod(import_module(name), optionflags=doctest.ELLIPSIS).failed == 0
