"""Triggers, as Python code writes them."""

from __future__ import annotations

from anabranch.model.pipeline import ObjectCreated


def S3ObjectCreated(bucket: str, *, prefix: str = "", suffix: str = "") -> ObjectCreated:  # noqa: N802 - AWS's name
    """Start the pipeline for each object created in an S3 bucket; the event is the first step's input."""
    return ObjectCreated(bucket, prefix, suffix, "s3")
