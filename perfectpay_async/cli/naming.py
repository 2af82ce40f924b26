"""Sentences of the library, with the names of options and variables for those of arguments."""

from __future__ import annotations

import re
from typing import Final

_NAMES: Final = {
    "base_url": "--base-url (or PERFECTPAY_BASE_URL)",
    "api_key": "PERFECTPAY_API_KEY",
    "max_connections": "--concurrency",
}


def renamed(text: object, **names: str) -> str:
    """Return a sentence with what the user of a command can change, for the names of arguments.

    Args:
        text: The sentence, or an error that says it.
        **names: Further names, and what to say instead.
    """
    known = {**_NAMES, **names}
    return re.sub(rf"\b(?:{'|'.join(known)})\b", lambda found: known[found[0]], str(text))
