"""The examples in docstrings are true."""

from __future__ import annotations

import doctest
import pkgutil
from importlib import import_module

import pytest

import anabranch.platforms

MODULES = [module.name for module in pkgutil.walk_packages(anabranch.platforms.__path__, "anabranch.platforms.")]


@pytest.mark.parametrize("name", MODULES)
def test_docstrings_of_every_module_hold(name: str) -> None:
    assert doctest.testmod(import_module(name)).failed == 0
