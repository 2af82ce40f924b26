"""Masks what looks like a secret in text that a server sent: its errors may quote their input."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from perfectpay_async.secrets import MASK, Secret

# Not compiled here but by `re` when an error first needs them (it keeps what it compiled).
# Fields of a JSON body whose text is secret or personal, whatever it looks like.
_NAMED: Final = (
    r'(?s)("(?:[a-z_]*(?:secret|token|number|cvc|cvv|iban)|api[-_]key)"\s{0,4}:\s{0,4}")'
    r'[^"\\]*(?:\\.[^"\\]*)*'
)

# Each alternative but the last can begin only where a word begins, no word is read more than a few
# times, and what is looked for behind a word is bounded: the time is linear in the text.
_SUSPICIOUS: Final = (
    r"(?<![0-9A-Za-z_])(?:"
    # Kept: a UUID, such as a request id. One without a letter could be a card number.
    r"(?P<uuid>(?=[0-9-]{0,35}[A-Fa-f])[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12})"
    r"(?![0-9A-Za-z])"
    # API keys (snd_..., pk_snd_..., epk_...), payment tokens, client secrets (<id>_secret_...).
    r"|(?:snd|dev|prd|prod|sk|pk|epk)_[0-9A-Za-z_]{4,}"
    r"|token_[0-9A-Za-z]{8,}"
    r"|[0-9A-Za-z_]+_secret_[0-9A-Za-z]+"
    r")"
    # Card and account numbers, grouped or not, inside a word too.
    r"|[0-9](?:[ -]{0,2}[0-9]){7,}"
)


def redact(text: str, sensitive: Iterable[Secret] = ()) -> str:
    """Return `text` with everything masked that is or looks like a secret.

    Masked are the `sensitive` values, runs of 8 or more digits (grouped by spaces or dashes or
    not), API keys, payment tokens, client secrets, and JSON fields that hold such values. UUIDs,
    error codes and ordinary numbers stay readable. The time is linear in the length of the text.

    Args:
        text: Text of a server.
        sensitive: What the request held; values that cannot be revealed are passed over.
    """
    values = [value for secret in sensitive if (value := _revealed(secret))]
    # Longest first, so that no part of one stays behind when a shorter one is inside it.
    for value in sorted(values, key=len, reverse=True):
        text = text.replace(value, MASK)
    text = re.sub(_NAMED, rf"\1{MASK}", text)
    return re.sub(_SUSPICIOUS, lambda match: match["uuid"] or MASK, text)


def _revealed(secret: Secret) -> str:
    try:
        return secret.reveal()
    except (TypeError, ValueError):
        return ""
