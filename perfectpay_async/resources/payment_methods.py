"""Customers' saved payment methods: create, retrieve, update, delete, list."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from functools import lru_cache, partial
from typing import Final, Literal

from perfectpay_async.entities import (
    Address,
    CardExpiry,
    CustomerPaymentMethod,
    DefaultPaymentMethod,
    DeletedPaymentMethod,
    NewCard,
    PaymentMethod,
    PaymentMethodList,
    PaymentMethodType,
    check_customer_id,
    check_not_expired,
    payment_method_segment,
)
from perfectpay_async.errors import (
    BadRequest,
    InvalidRequestError,
    NotFound,
    PerfectPayError,
)
from perfectpay_async.http.caller import Caller
from perfectpay_async.jsontext import encode_json
from perfectpay_async.messages import Operation
from perfectpay_async.options import RequestOptions
from perfectpay_async.secrets import masked
from perfectpay_async.wire.codec import (
    decode_default,
    decode_deleted,
    decode_payment_method,
    decode_payment_method_list,
)
from perfectpay_async.wire.dialects import Dialect, create_body, expiry_text, update_body

from .lost_answers import may_be_done
from .reconcile import create_or_find

CREATE: Final = Operation(
    "payment_methods.create", "POST", "/payment_methods", repeatable=False, idempotent_key=True
)
RETRIEVE: Final = Operation(
    "payment_methods.retrieve",
    "GET",
    "/payment_methods/{payment_method_id}",
    repeatable=True,
    idempotent_key=False,
)
# An update sets absolute values, so doing it twice is doing it once.
UPDATE: Final = Operation(
    "payment_methods.update",
    "POST",
    "/payment_methods/{payment_method_id}/update",
    repeatable=True,
    idempotent_key=True,
)
DELETE: Final = Operation(
    "payment_methods.delete",
    "DELETE",
    "/payment_methods/{payment_method_id}",
    repeatable=True,
    idempotent_key=True,
)
LIST: Final = Operation(
    "payment_methods.list",
    "GET",
    "/customers/{customer_id}/payment_methods",
    repeatable=True,
    idempotent_key=False,
)
# Which method is the default is an absolute value, too.
SET_DEFAULT: Final = Operation(
    "payment_methods.set_default",
    "POST",
    "/customers/{customer_id}/payment_methods/{payment_method_id}/default",
    repeatable=True,
    idempotent_key=True,
)

# Among other things, that it is the default already.
_NOT_DONE: Final = "IR_16"
_SECONDS_OF_A_DAY: Final = 86_400


def today() -> date:
    """Return today's date in UTC."""
    return _day(int(time.time()) // _SECONDS_OF_A_DAY)


@lru_cache(maxsize=1)  # asking the calendar costs ten times as much as asking the clock
def _day(since_1970: int) -> date:
    return datetime.fromtimestamp(since_1970 * _SECONDS_OF_A_DAY, UTC).date()


def update_path(payment_method_id: str) -> str:
    """Return the path of an update.

    Raises:
        InvalidRequestError: The id breaks a rule.
    """
    return f"/payment_methods/{payment_method_segment(payment_method_id)}/update"


class PaymentMethods:
    """The payment methods that customers have saved.

    Every method takes `options` for one call, and raises a `PerfectPayError` whose `outcome` says
    what the failure means for the data on the server. Beside the errors named at each method,
    every call may raise `InvalidRequestError` (a value breaks a rule; nothing was sent),
    `AuthenticationError` (401), `PermissionDenied` (403), `RateLimited` (429), `ServerError`
    (5xx), `TransportError` (no complete answer), `DeadlineExceeded` and `ResponseDecodingError`.

    Args:
        caller: Sends the calls.
        dialect: Form of the request bodies.
        today: Today's date in UTC, for refusing a card that has expired.
    """

    def __init__(
        self, caller: Caller, dialect: Dialect = "perfectpay", *, today: Callable[[], date] = today
    ) -> None:
        self._caller = caller
        self._dialect: Dialect = dialect
        self._today = today

    async def create(
        self,
        customer_id: str,
        card: NewCard,
        *,
        payment_method_type: PaymentMethodType | str | None = None,
        metadata: Mapping[str, object] | None = None,
        billing: Address | None = None,
        on_unknown: Literal["raise", "reconcile"] = "raise",
        options: RequestOptions | None = None,
    ) -> PaymentMethod:
        """Save a card for a customer.

        `POST /payment_methods`. It is not repeated after an unknown outcome: the server honours no
        idempotency key, so a second card could be the result. With `on_unknown="reconcile"` the
        customer's methods are listed before, and after an unknown outcome again: when exactly one
        has appeared, or changed, that has the card's last four digits, expiry and holder, it is
        what was saved, and is returned.

        Args:
            customer_id: Whose card it is; the customer must exist.
            card: The card. Raw card data is for PCI-compliant environments only.
            payment_method_type: "credit" or "debit".
            metadata: Your own data, stored with the method.
            billing: Billing address, phone and e-mail.
            on_unknown: "raise" raises after an unknown outcome; "reconcile" costs one list call
                more, and looks first. The deadline covers all of it.
            options: Settings of this call alone.

        Returns:
            The saved payment method; keep its `payment_method_id`.

        Raises:
            BadRequest: The server refused the card, for instance for its expiry (`IR_16`).
            NotFound: The customer does not exist (`HE_02`).
            UnprocessableEntity: The type does not fit a card (`IR_06`).
            PerfectPayError: With outcome UNKNOWN, the card may have been saved. After
                "reconcile", `candidates` holds the ids that could be it: none, or several.
        """
        customer_id = masked(customer_id)
        check_customer_id(customer_id)
        if type(card) is not NewCard:
            del card  # it may hold the number, and this frame is about to enter a traceback
            raise InvalidRequestError("card must be a NewCard", field="card")
        check_not_expired(card.expiry, self._today())
        body = create_body(
            self._dialect,
            customer_id=customer_id,
            card=card,
            payment_method_type=payment_method_type,
            metadata=metadata,
            billing=billing,
        )
        create = partial(
            self._caller.call,
            CREATE,
            "/payment_methods",
            decode_payment_method,
            body=encode_json(body),
            sensitive=(card.number, card.cvc) if card.cvc else (card.number,),
        )
        if on_unknown == "raise":
            return await create(options=options)
        if on_unknown != "reconcile":
            raise InvalidRequestError(
                "on_unknown must be 'raise' or 'reconcile'", field="on_unknown"
            )
        return await create_or_find(self, customer_id, card, create, self._caller.until(options))

    async def retrieve(
        self, payment_method_id: str, *, options: RequestOptions | None = None
    ) -> PaymentMethod:
        """Return a payment method with its masked card.

        `GET /payment_methods/{payment_method_id}`.

        Raises:
            NotFound: There is no such payment method (`HE_02`).
        """
        payment_method_id = masked(payment_method_id)
        segment = payment_method_segment(payment_method_id)
        return await self._caller.call(
            RETRIEVE,
            f"/payment_methods/{segment}",
            partial(decode_payment_method, expected_id=str(payment_method_id)),
            options=options,
        )

    async def update(
        self,
        payment_method_id: str,
        *,
        expiry: CardExpiry | None = None,
        holder_name: str | None = None,
        nick_name: str | None = None,
        options: RequestOptions | None = None,
    ) -> PaymentMethod:
        """Change the expiry, the holder's name or the nickname of a saved card.

        `POST /payment_methods/{payment_method_id}/update`. What is left out keeps its value; there
        is no way to clear a field.

        Args:
            payment_method_id: Which one.
            expiry: New month and year.
            holder_name: New name on the card.
            nick_name: New nickname.
            options: Settings of this call alone.

        Returns:
            The payment method as it is now. Its `created` and `last_used_at` are the time of this
            call, and network, issuer and card type may be missing: retrieve it for those.

        Raises:
            BadRequest: The server refused the new values (`IR_16`), or this method cannot be
                updated (`IR_19`).
            NotFound: There is no such payment method (`HE_02`), or the vault failed (`IR_37`:
                then the outcome is unknown).
        """
        payment_method_id = masked(payment_method_id)
        path = update_path(payment_method_id)
        if expiry is not None:
            check_not_expired(expiry, self._today())
        if expiry is not None and holder_name is None and nick_name is None:
            body = expiry_text(self._dialect, expiry)
        else:
            body = encode_json(
                update_body(
                    self._dialect, expiry=expiry, holder_name=holder_name, nick_name=nick_name
                )
            )
        return await self._caller.call(
            UPDATE,
            path,
            partial(decode_payment_method, expected_id=str(payment_method_id)),
            body=body,
            options=options,
        )

    async def delete(
        self, payment_method_id: str, *, options: RequestOptions | None = None
    ) -> DeletedPaymentMethod:
        """Delete a payment method for good.

        `DELETE /payment_methods/{payment_method_id}`. When an attempt's answer was lost and the
        next one finds nothing to delete, the first one had done it: that is success.

        Raises:
            NotFound: There was no such payment method to begin with (`HE_02`).
        """
        payment_method_id = masked(payment_method_id)
        segment = payment_method_segment(payment_method_id)
        try:
            return await self._caller.call(
                DELETE,
                f"/payment_methods/{segment}",
                partial(decode_deleted, payment_method_id=str(payment_method_id)),
                options=options,
            )
        except NotFound as error:
            if not may_be_done(error):
                raise
        return DeletedPaymentMethod(payment_method_id=str(payment_method_id))

    async def list(
        self,
        customer_id: str,
        *,
        limit: int | None = None,
        options: RequestOptions | None = None,
    ) -> PaymentMethodList:
        """Return a customer's saved payment methods.

        `GET /customers/{customer_id}/payment_methods`. Each call makes a fresh `payment_token` for
        every item, good for about 15 minutes.

        Args:
            customer_id: Whose methods.
            limit: At most so many, the last used ones; all by default.
            options: Settings of this call alone.

        Returns:
            A sequence of `CustomerPaymentMethod`, roughly the last used first.

        Raises:
            NotFound: The customer does not exist (`HE_02`).
            BadRequest: The customer was deleted (`IR_11`).
        """
        customer_id = masked(customer_id)
        check_customer_id(customer_id)
        if limit is not None and (isinstance(limit, bool) or limit < 1):
            raise InvalidRequestError("limit must be a whole number from 1", field="limit")
        return await self._caller.call(
            LIST,
            f"/customers/{customer_id}/payment_methods",
            decode_payment_method_list,
            query=None if limit is None else {"limit": str(limit)},
            options=options,
        )

    async def set_default(
        self,
        customer_id: str,
        payment_method_id: str,
        *,
        options: RequestOptions | None = None,
    ) -> DefaultPaymentMethod:
        """Make a payment method the customer's default.

        `POST /customers/{customer_id}/payment_methods/{payment_method_id}/default`. **PerfectPay
        does not document this operation**; it is the one of stock Hyperswitch v1. The first method
        that a customer saves becomes the default by itself, and deleting the default leaves the
        customer without one.

        When an attempt's answer was lost and the next one is refused (`IR_16`), the customer's
        methods are listed: if this one is the default, that is success.

        Args:
            customer_id: Whose default.
            payment_method_id: A method of this customer.
            options: Settings of this call alone.

        Raises:
            BadRequest: It is the default already, or belongs to somebody else (both `IR_16`), or
                the customer was deleted (`IR_11`).
            NotFound: There is no such payment method or customer (`HE_02`), or the server does not
                have this operation (`RouteNotFound`).
        """
        customer_id, payment_method_id = masked(customer_id), masked(payment_method_id)
        check_customer_id(customer_id)
        segment = payment_method_segment(payment_method_id)
        rest = self._caller.until(options)
        try:
            return await self._caller.call(
                SET_DEFAULT,
                f"/customers/{customer_id}/payment_methods/{segment}/default",
                partial(
                    decode_default,
                    customer_id=str(customer_id),
                    method_id=str(payment_method_id),
                ),
                options=options,
            )
        except BadRequest as error:
            if not may_be_done(error, _NOT_DONE):
                raise
            default = await self._default_of(customer_id, error, rest())
            if default is None or default.payment_method_id != payment_method_id:
                raise
        return DefaultPaymentMethod(
            default_payment_method_id=default.payment_method_id,
            customer_id=str(customer_id),
            payment_method=default.payment_method,
            payment_method_type=default.payment_method_type,
        )

    async def _default_of(
        self, customer_id: str, error: BadRequest, options: RequestOptions
    ) -> CustomerPaymentMethod | None:
        """Return the customer's default, or None after noting in the error why it is not known."""
        try:
            return (await self.list(customer_id, options=options)).default
        except PerfectPayError as lookup:
            error.add_note(f"The customer's methods could not be looked up: {lookup}")
            return None
