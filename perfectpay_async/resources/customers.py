"""Customers: create, retrieve, update, delete, list."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import Any, Final, TypedDict, Unpack

from perfectpay_async.entities import (
    AddressDetails,
    Customer,
    DeletedCustomer,
    DocumentDetails,
    check_customer_id,
)
from perfectpay_async.errors import BadRequest, InvalidRequestError, PerfectPayError
from perfectpay_async.http.caller import Caller
from perfectpay_async.jsontext import encode_json
from perfectpay_async.messages import Operation
from perfectpay_async.options import RequestOptions
from perfectpay_async.secrets import masked
from perfectpay_async.wire.codec import (
    decode_customer,
    decode_customer_page,
    decode_deleted_customer,
)
from perfectpay_async.wire.customers import customer_body, holds

from .lost_answers import may_be_done
from .pages import Pages

# The server makes the id: doing it twice makes two customers.
CREATE: Final = Operation(
    "customers.create", "POST", "/customers", repeatable=False, idempotent_key=True
)
# There is one customer of an id: doing it twice makes none more.
CREATE_WITH_ID: Final = Operation(
    "customers.create", "POST", "/customers", repeatable=True, idempotent_key=True
)
RETRIEVE: Final = Operation(
    "customers.retrieve", "GET", "/customers/{customer_id}", repeatable=True, idempotent_key=False
)
# An update sets absolute values.
UPDATE: Final = Operation(
    "customers.update", "POST", "/customers/{customer_id}", repeatable=True, idempotent_key=True
)
DELETE: Final = Operation(
    "customers.delete", "DELETE", "/customers/{customer_id}", repeatable=True, idempotent_key=True
)
LIST: Final = Operation(
    "customers.list", "GET", "/customers/list", repeatable=True, idempotent_key=False
)

_ID_TAKEN: Final = "IR_12"
_REDACTED_ALREADY: Final = "IR_11"
_LARGEST_PAGE: Final = 1_000


class CustomerFields(TypedDict, total=False):
    """What a customer consists of; each is optional.

    Attributes:
        name: The name.
        email: The e-mail address. Whether it is one is for the server to say.
        phone: The phone number, without the country code.
        phone_country_code: Such as "+1".
        description: Your own description.
        address: The postal address.
        metadata: Your own data.
        tax_registration_id: The customer's tax number.
        document_details: A document that identifies the customer.
    """

    name: str | None
    email: str | None
    phone: str | None
    phone_country_code: str | None
    description: str | None
    address: AddressDetails | None
    metadata: Mapping[str, object] | None
    tax_registration_id: str | None
    document_details: DocumentDetails | None


class Customers:
    """The customers that payment methods are saved for.

    The methods take `options` and raise errors as those of `PaymentMethods` do.

    Args:
        caller: Sends the calls.
    """

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def create(
        self,
        *,
        customer_id: str | None = None,
        options: RequestOptions | None = None,
        **fields: Unpack[CustomerFields],
    ) -> Customer:
        """Create a customer.

        `POST /customers` (PerfectPay documents name, email, phone, phone_country_code and metadata;
        the other fields, and `customer_id`, are those of stock Hyperswitch).

        Without a `customer_id` it is not repeated after an unknown outcome, since a second customer
        could be the result. With one it is: of one id there is one customer at most. When the
        repeat is told that the id is taken, the customer is retrieved, and returned if it has every
        value that was sent: then an earlier attempt has done it, or somebody else did the same
        before.

        Args:
            customer_id: Your own id for the customer: 1 to 64 letters, digits, `_` and `-`. The
                server makes one otherwise.
            options: Settings of this call alone.
            **fields: See `CustomerFields`.

        Returns:
            The customer; keep its `customer_id`. A server may return an existing customer of this
            id, as Hyperswitch's reference has it; its code refuses the id with `IR_12`.

        Raises:
            BadRequest: The id is taken (`IR_12`), or a value is refused.
        """
        if customer_id is None:
            body, operation = customer_body(**fields), CREATE
        else:
            customer_id = masked(customer_id)
            check_customer_id(customer_id)
            body = {"customer_id": customer_id, **customer_body(**fields)}
            operation = CREATE_WITH_ID
        rest = self._caller.until(options)
        try:
            return await self._caller.call(
                operation,
                "/customers",
                partial(decode_customer, expected_id=customer_id),
                body=encode_json(body),
                options=options,
            )
        except BadRequest as error:
            if customer_id is None or not may_be_done(error, _ID_TAKEN):
                raise
            found = await self._find(customer_id, body, error, rest())
            if found is None:
                raise
            return found

    async def _find(
        self, customer_id: str, body: Mapping[str, Any], error: BadRequest, options: RequestOptions
    ) -> Customer | None:
        """Return the customer if it is what the call asked for, and else say so in the error."""
        try:
            found = await self.retrieve(customer_id, options=options)
        except PerfectPayError as lookup:
            error.add_note(f"The customer of this id could not be looked up: {lookup}")
            return None
        if holds(found, body) and not found.is_redacted:
            return found
        error.add_note("There is a customer of this id with other values, or a deleted one.")
        return None

    async def retrieve(
        self, customer_id: str, *, options: RequestOptions | None = None
    ) -> Customer:
        """Return a customer.

        `GET /customers/{customer_id}`. A deleted customer is returned too, redacted: see
        `Customer.is_redacted`.

        Raises:
            NotFound: There is no such customer (`HE_02`).
        """
        customer_id = masked(customer_id)
        check_customer_id(customer_id)
        return await self._caller.call(
            RETRIEVE,
            f"/customers/{customer_id}",
            partial(decode_customer, expected_id=str(customer_id)),
            options=options,
        )

    async def update(
        self,
        customer_id: str,
        *,
        options: RequestOptions | None = None,
        **fields: Unpack[CustomerFields],
    ) -> Customer:
        """Change some fields of a customer.

        `POST /customers/{customer_id}`. **PerfectPay does not document this operation**; it is the
        one of stock Hyperswitch v1. What is left out keeps its value; there is no way to clear a
        field. `metadata` replaces what was there as a whole.

        Args:
            customer_id: Whose data.
            options: Settings of this call alone.
            **fields: See `CustomerFields`; one at least.

        Returns:
            The customer as it is now.

        Raises:
            NotFound: There is no such customer (`HE_02`), or the server does not have this
                operation (`RouteNotFound`).
            BadRequest: The customer was deleted (`IR_11`), or a value is refused.
        """
        customer_id = masked(customer_id)
        check_customer_id(customer_id)
        body = customer_body(**fields)
        if not body:
            raise InvalidRequestError("update needs at least one field that is to be changed")
        return await self._caller.call(
            UPDATE,
            f"/customers/{customer_id}",
            partial(decode_customer, expected_id=str(customer_id)),
            body=encode_json(body),
            options=options,
        )

    async def delete(
        self, customer_id: str, *, options: RequestOptions | None = None
    ) -> DeletedCustomer:
        """Delete a customer's data and payment methods for good.

        `DELETE /customers/{customer_id}`. This **redacts**: the id stays taken, `retrieve` answers
        with "Redacted" in place of the data, and any further use of the customer is refused with
        `IR_11`. When an attempt's answer was lost and the next one is told that the customer has
        been redacted, the first one had done it: that is success.

        Raises:
            NotFound: There is no such customer (`HE_02`).
            BadRequest: The customer was deleted before (`IR_11`), or has an active mandate
                (`IR_10`).
        """
        customer_id = masked(customer_id)
        check_customer_id(customer_id)
        try:
            return await self._caller.call(
                DELETE,
                f"/customers/{customer_id}",
                partial(decode_deleted_customer, customer_id=str(customer_id)),
                options=options,
            )
        except BadRequest as error:
            if not may_be_done(error, _REDACTED_ALREADY):
                raise
        return DeletedCustomer(customer_id=str(customer_id))

    def list(
        self,
        *,
        limit: int | None = None,
        offset: int = 0,
        page_size: int = 100,
        options: RequestOptions | None = None,
    ) -> AsyncIterator[Customer]:
        """Iterate over all customers.

        `GET /customers/list`, page by page, holding one page at a time (PerfectPay documents the
        route; limit and offset are those of stock Hyperswitch). Each page is a call of its own,
        with its own deadline and retries. When one fails, the error is raised and the iteration may
        go on: its next step asks for the same page again.

        The order is the server's, and no snapshot is taken. A customer created meanwhile may be
        missing; when that shifts the rest, those that come again at the start of a page are passed
        over. Deleted customers stay in the list, redacted, so a deletion shifts nothing. Should a
        server take customers out of the list, as many may be passed over: list again.

        Args:
            limit: At most so many; all by default.
            offset: How many to pass over first.
            page_size: How many to ask for at once, 1 to 1,000. A server may give fewer.
            options: Settings of each of the calls.

        Returns:
            An async iterator of `Customer`, for one task at a time. In stock Hyperswitch these come
            without their address.

        Raises:
            InvalidRequestError: A number is out of its range. Raised at once, before the iteration.

        Examples:
            >>> async def names(client):
            ...     return [customer.name async for customer in client.customers.list(limit=50)]
        """
        if limit is not None:
            _check_count("limit", limit)
        _check_count("offset", offset)
        if type(page_size) is not int or not 1 <= page_size <= _LARGEST_PAGE:
            raise InvalidRequestError(
                f"page_size must be 1 to {_LARGEST_PAGE:,}", field="page_size"
            )

        async def fetch(count: int, start: int) -> tuple[Customer, ...]:
            page = await self._caller.call(
                LIST,
                "/customers/list",
                decode_customer_page,
                query={"limit": str(count), "offset": str(start)},
                options=options,
            )
            return page.data

        return Pages(
            fetch,
            lambda customer: customer.customer_id,
            limit=limit,
            offset=offset,
            page_size=page_size,
        )


def _check_count(name: str, value: int) -> None:
    if type(value) is not int or value < 0:
        raise InvalidRequestError(f"{name} must be a whole number from 0", field=name)
