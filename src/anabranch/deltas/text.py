"""Values as text, for people."""

from __future__ import annotations

import json
from typing import Any

LONGEST = 120
"""Characters of a value that are shown."""

HIDDEN = "***"
"""What is shown of a sensitive value."""


def text(value: Any) -> str | None:
    r"""Return a value as text; None is null.

    >>> text(1.5), text(None), text(b"\x01"), text([1, None]), text(True)
    ('1.5', None, '0x01', '[1, null]', 'true')
    """
    if value is None:
        return None
    if isinstance(value, bytes | bytearray | memoryview):
        shown = "0x" + bytes(value).hex()
    elif isinstance(value, bool):
        shown = str(value).lower()
    elif isinstance(value, dict | list | tuple):
        shown = json.dumps(value, default=str, ensure_ascii=False)
    else:
        shown = str(value)
    return shown if len(shown) <= LONGEST else shown[: LONGEST - 1] + "…"
