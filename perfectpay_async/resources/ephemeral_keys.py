"""Ephemeral keys for the Web SDK: create, delete."""

from __future__ import annotations

from functools import partial
from typing import Final

from perfectpay_async.entities import (
    DeletedEphemeralKey,
    EphemeralKey,
    check_customer_id,
    check_ephemeral_key_id,
    quote_segment,
)
from perfectpay_async.errors import NotFound
from perfectpay_async.http.caller import Caller
from perfectpay_async.jsontext import encode_json
from perfectpay_async.messages import Operation
from perfectpay_async.options import RequestOptions
from perfectpay_async.secrets import masked
from perfectpay_async.wire.codec import decode_deleted_key, decode_ephemeral_key

from .lost_answers import may_be_done

CREATE: Final = Operation(
    "ephemeral_keys.create", "POST", "/ephemeral_keys", repeatable=True, idempotent_key=True
)
DELETE: Final = Operation(
    "ephemeral_keys.delete",
    "DELETE",
    "/ephemeral_keys/{key_id}",
    repeatable=True,
    idempotent_key=True,
)


class EphemeralKeys:
    """Keys that a customer's browser may hold, for the Web SDK's list of saved payment methods.

    **PerfectPay does not document these operations**; they are those of stock Hyperswitch v1, whose
    Web SDK took such keys until March 2026. What to do with them is told in docs/web-sdk.md.

    The methods take `options` and raise errors as those of `PaymentMethods` do.

    Args:
        caller: Sends the calls.
    """

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def create(
        self, customer_id: str, *, options: RequestOptions | None = None
    ) -> EphemeralKey:
        """Make a key for one customer's browser.

        `POST /ephemeral_keys`. The key is good for an hour by default, for listing and deleting
        payment methods, setting the default, and retrieving the customer; not for creating,
        retrieving or updating a payment method. It is repeated after an unknown outcome: a key that
        was lost with its answer is in nobody's hands, and ends by itself.

        Args:
            customer_id: The customer who is logged in. Take it from your own session, never from
                the request.
            options: Settings of this call alone.

        Returns:
            The key. Hand `secret.reveal()` to the browser of this customer and to nobody else; keep
            `id` to delete the key with.

        Raises:
            RouteNotFound: The server does not have this operation.
            NotFound: The customer does not exist (`HE_02`), where the server looks.
        """
        customer_id = masked(customer_id)
        check_customer_id(customer_id)
        return await self._caller.call(
            CREATE,
            "/ephemeral_keys",
            partial(decode_ephemeral_key, customer_id=str(customer_id)),
            body=encode_json({"customer_id": customer_id}),
            options=options,
        )

    async def delete(
        self, key_id: str, *, options: RequestOptions | None = None
    ) -> DeletedEphemeralKey:
        """End a key before its time, for instance when the customer logs out.

        `DELETE /ephemeral_keys/{key_id}`. When an attempt's answer was lost and the next one finds
        no such key, the first one had done it: that is success.

        Args:
            key_id: The `id` of the key; not its secret.
            options: Settings of this call alone.

        Raises:
            InvalidRequestError: What was passed is the secret, or no id.
            NotFound: There is no such key.
            ServerError: Stock Hyperswitch answers 500 when there is no such key any more.
        """
        key_id = masked(key_id)
        check_ephemeral_key_id(key_id)
        try:
            return await self._caller.call(
                DELETE,
                f"/ephemeral_keys/{quote_segment(key_id)}",
                partial(decode_deleted_key, key_id=str(key_id)),
                options=options,
            )
        except NotFound as error:
            if not may_be_done(error):
                raise
        return DeletedEphemeralKey(id=str(key_id))
