"""The JSON Schema of specs, for editors."""

from __future__ import annotations

from typing import Any

from anabranch.frontends.shape import PipelineShape, ProjectShape


def spec_schema() -> dict[str, Any]:
    """Return the JSON Schema of a pipeline spec."""
    return _schema(PipelineShape, "An anabranch pipeline")


def project_schema() -> dict[str, Any]:
    """Return the JSON Schema of `anabranch.yaml`."""
    return _schema(ProjectShape, "An anabranch project")


def _schema(shape: type[PipelineShape | ProjectShape], title: str) -> dict[str, Any]:
    made = shape.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "title": title}
