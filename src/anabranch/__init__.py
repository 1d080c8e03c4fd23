"""anabranch: define a batch data pipeline once, run all of it on your laptop, branch it, and watch every run.

The public names below load on first use, so that `import anabranch` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anabranch.app import Project
    from anabranch.frontends.dataset import Dataset
    from anabranch.frontends.pipelines import Param, pipeline
    from anabranch.frontends.steps import dbt, shell, spark, sql, step
    from anabranch.frontends.triggers import S3ObjectCreated
    from anabranch.model.columns import Column
    from anabranch.model.errors import AnabranchError
    from anabranch.model.pipeline import Retry

__all__ = [
    "AnabranchError",
    "Column",
    "Dataset",
    "Param",
    "Project",
    "Retry",
    "S3ObjectCreated",
    "dbt",
    "pipeline",
    "shell",
    "spark",
    "sql",
    "step",
]

__version__ = "0.1.0.dev0"

_HOMES = {
    "AnabranchError": "model.errors",
    "Column": "model.columns",
    "Dataset": "frontends.dataset",
    "Param": "frontends.pipelines",
    "Project": "app",
    "Retry": "model.pipeline",
    "S3ObjectCreated": "frontends.triggers",
    "dbt": "frontends.steps",
    "pipeline": "frontends.pipelines",
    "shell": "frontends.steps",
    "spark": "frontends.steps",
    "sql": "frontends.steps",
    "step": "frontends.steps",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        message = f"module 'anabranch' has no attribute '{name}'"
        raise AttributeError(message)
    value: object = getattr(import_module(f"anabranch.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
