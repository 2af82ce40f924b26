"""What guards the pages, whatever serves them: the token of the forms, and the headers.

The token proves that a form came from one of our own pages. It is bound to the session: who does
not know the session's id and the secret cannot make it, and one of another session does not fit.
Nothing has to be stored for it.
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

FIELD: Final = "csrf_token"
"""Name of the hidden field that carries the token."""

HEADERS: Final = {
    # No script at all, and no form or frame of another site: what is injected has no effect.
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "same-origin",  # paths hold the ids of payment methods
    "X-Content-Type-Options": "nosniff",
}
"""For every answer."""

NOT_STORED: Final = {"Cache-Control": "no-store"}
"""For every page: after signing out, nobody finds it with the back button."""


def token_of(secret: bytes, session_id: str) -> str:
    """Return the token of a session.

    Args:
        secret: 32 random bytes, the same in all processes, and used for nothing else.
        session_id: The session's random id.
    """
    return hmac.new(secret, session_id.encode(), hashlib.sha256).hexdigest()


def is_token_of(secret: bytes, session_id: str, token: str) -> bool:
    """Return whether the token is the session's, in a time that tells nothing about it."""
    # As bytes: compare_digest refuses text that is not ASCII, and the token is anybody's text.
    right = token_of(secret, session_id).encode()
    return hmac.compare_digest(right, token.encode(errors="replace"))
