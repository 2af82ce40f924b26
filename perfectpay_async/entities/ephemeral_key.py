"""Ephemeral keys: what a server hands to the Web SDK in a customer's browser."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from attrs import field, frozen

from perfectpay_async.messages import Response
from perfectpay_async.secrets import Secret

from .base import Entity, extra_field


@frozen(kw_only=True, eq=False, repr=False)
class EphemeralKey(Entity):
    """A key for one customer's browser, good for an hour by default.

    Attributes:
        id: Names the key, for deleting it; not a secret. None when the server sends none.
        customer_id: Whom it was made for.
        created_at: When it was made.
        expires: When it ends.
        secret: The key itself, for the browser of this customer. Never shown, logged or pickled.
        merchant_id: The account it belongs to.
        extra: Fields that this version does not know.
        response: The raw answer. It does not count for equality and is not pickled.
    """

    customer_id: str
    created_at: datetime
    expires: datetime
    secret: Secret
    id: str | None = None
    merchant_id: str | None = None
    extra: Mapping[str, object] = extra_field()
    response: Response | None = field(default=None, eq=False, repr=False)


@frozen(kw_only=True, eq=False, repr=False)
class DeletedEphemeralKey(Entity):
    """The answer to the deletion of an ephemeral key.

    Attributes:
        id: The key that is good no more.
        customer_id: Whom it was made for.
        created_at: When it was made.
        expires: When it would have ended.
        secret: The key itself, which servers repeat here. Never shown, logged or pickled.
        merchant_id: The account it belonged to.
        extra: Fields that this version does not know.
        response: The raw answer; None when an earlier attempt of the call had deleted the key. It
            does not count for equality and is not pickled.
    """

    id: str
    customer_id: str | None = None
    created_at: datetime | None = None
    expires: datetime | None = None
    secret: Secret | None = None
    merchant_id: str | None = None
    extra: Mapping[str, object] = extra_field()
    response: Response | None = field(default=None, eq=False, repr=False)
