"""Ephemeral keys: made for a customer's browser, good for an hour. Pure, as the store."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from attrs import field, frozen

from .answers import server_error

LIFE: Final = timedelta(hours=1)
PREFIX: Final = "epk_"


@frozen
class EphemeralKey:
    """A key and whom it was made for."""

    id: str
    customer_id: str
    created: datetime
    secret: str = field(repr=False)

    @property
    def expires(self) -> datetime:
        """When it ends."""
        return self.created + LIFE


class EphemeralKeys:
    """All keys that are good or have expired.

    Args:
        token: Returns a prefix with random letters and digits behind it.
        now: The time of day, in UTC.
    """

    def __init__(self, token: Callable[[str], str], now: Callable[[], datetime]) -> None:
        self._token = token
        self._now = now
        self._by_secret: dict[str, EphemeralKey] = {}

    def create(self, customer_id: str) -> EphemeralKey:
        """Make a key. As in stock Hyperswitch, the customer need not exist."""
        key = EphemeralKey(self._token("eki_"), customer_id, self._now(), self._token(PREFIX))
        self._by_secret[key.secret] = key
        return key

    def find(self, secret: str) -> EphemeralKey | None:
        """Return the key with this secret, if it is good."""
        key = self._by_secret.get(secret)
        return key if key is not None and self._now() < key.expires else None

    def delete(self, key_id: str) -> EphemeralKey:
        """End a key before its time.

        Raises:
            Refused: 500 when there is none that is good, as stock Hyperswitch has it.
        """
        for key in self._by_secret.values():
            if key.id == key_id and self.find(key.secret):
                return self._by_secret.pop(key.secret)
        raise server_error()
