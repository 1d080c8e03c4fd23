"""What was checked of a dataset, as OpenLineage tells of tests: names and outcomes, and no value of any row."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from anabranch.platforms.openlineage.facets import Facets, facet

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anabranch.model.dataset import DatasetSpec
    from anabranch.model.run import Failure

_BREACH = re.compile(r"^dataset `([^`]+)`: (?:column `([^`]+)`)?")


def held(spec: DatasetSpec) -> Facets:
    """Return what held for a dataset that was published: all that its contract promises.

    >>> from anabranch.model.dataset import DatasetSpec
    >>> told = held(DatasetSpec("legs", primary_key=("id",)))["dataQualityAssertions"]["assertions"]
    >>> [(each["assertion"], each["column"], each["success"]) for each in told]
    [('not_null', 'id', True), ('unique', 'id', True)]
    """
    return _facet(list(_promises(spec)))


def _promises(spec: DatasetSpec) -> Iterator[dict[str, Any]]:
    promised = {column.name for column in spec.columns}
    for column in spec.columns:
        if column.type:
            yield _assertion("type", column.name, success=True)
        if not column.nullable or column.name in spec.primary_key:
            yield _assertion("not_null", column.name, success=True)
    for name in spec.primary_key:
        if name not in promised:
            yield _assertion("not_null", name, success=True)
    if len(spec.primary_key) == 1:
        yield _assertion("unique", spec.primary_key[0], success=True)
    elif spec.primary_key:
        yield _assertion("unique", success=True) | {"name": f"primary key ({', '.join(spec.primary_key)})"}


def broken(spec: DatasetSpec, failure: Failure) -> Facets:
    """Return what of a dataset's contract did not hold, where that is why a step failed.

    >>> from anabranch.model.dataset import DatasetSpec
    >>> from anabranch.model.run import Failure
    >>> told = Failure("contract", "dataset `legs`: column `id`, part of the key, is null", code="null-value")
    >>> broken(DatasetSpec("legs"), told)["dataQualityAssertions"]["assertions"]
    [{'assertion': 'null-value', 'success': False, 'column': 'id'}]
    >>> broken(DatasetSpec("other"), told)
    {}
    """
    if failure.kind != "contract":
        return {}
    found: list[dict[str, Any]] = []
    for i, line in enumerate(failure.message.splitlines()):
        match = _BREACH.match(line)
        if match and match[1] == spec.name:  # the failure's code is that of its first line
            found.append(_assertion("contract" if i else failure.code, match[2] or "", success=False))
    return _facet(found)


def _assertion(name: str, column: str = "", *, success: bool) -> dict[str, Any]:
    return {"assertion": name, "success": success} | ({"column": column} if column else {})


def _facet(found: list[dict[str, Any]]) -> Facets:
    if not found:
        return {}
    return facet("dataQualityAssertions", "1-1-0/DataQualityAssertionsDatasetFacet", assertions=found)
