"""Ibis as a compiler of expressions, and without its types: these know less than its expressions can do."""

from __future__ import annotations

from typing import Any, TypeAlias

import ibis as _ibis
import ibis.expr.datatypes as _datatypes

ibis: Any = _ibis
dt: Any = _datatypes

Table: TypeAlias = Any
"""An Ibis table: rows that a query gives, and that nothing has computed yet."""

Kind: TypeAlias = Any
"""An Ibis data type."""
