"""Answers to entities, and entities to JSON objects.

What the converter refuses is a `Mismatch`. It is caught and dropped together with its traceback,
because the frames in there hold values of the body; the error that the caller sees is raised from a
frame that holds none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, TypeVar

from perfectpay_async.entities import (
    Customer,
    CustomerPage,
    DefaultPaymentMethod,
    DeletedCustomer,
    DeletedEphemeralKey,
    DeletedPaymentMethod,
    Entity,
    EphemeralKey,
    PaymentMethod,
    PaymentMethodList,
)
from perfectpay_async.errors import ResponseDecodingError
from perfectpay_async.jsontext import decode_json
from perfectpay_async.messages import Response

from .converter import Mismatch, converter
from .shapes import is_array, is_object

_Answer = TypeVar("_Answer", bound=Entity)


def decode_payment_method(response: Response, expected_id: str | None = None) -> PaymentMethod:
    """Return the payment method that an answer to create, retrieve or update holds.

    Args:
        response: The answer.
        expected_id: The id that was asked for.

    Raises:
        ResponseDecodingError: The body is not a payment method, or not the one asked for.
    """
    return _decode_asked(response, PaymentMethod, "payment_method_id", expected_id)


def check_payment_method(response: Response, expected_id: str) -> None:
    """Check that an answer is about the payment method that was asked for, and read no more of it.

    It is for who wants to know that a call was carried out and nothing else: the entity would cost
    as much as all the rest of the call.

    Raises:
        ResponseDecodingError: The body is no JSON object, or is about another payment method.
    """
    body = decode_json(response.body)
    is_asked = is_object(body) and body.get("payment_method_id") == expected_id
    del body  # it may hold a client secret, and this frame is about to enter a traceback
    if not is_asked:
        raise _another("payment_method_id")


def decode_payment_method_list(response: Response) -> PaymentMethodList:
    """Return the list that an answer to list holds.

    PerfectPay does not document the envelope: an object with `customer_payment_methods` is read,
    and a bare array too.

    Raises:
        ResponseDecodingError: The body is neither, or an item is not a payment method.
    """
    return _decode(response, PaymentMethodList, _enveloped("customer_payment_methods"))


def decode_deleted(response: Response, payment_method_id: str) -> DeletedPaymentMethod:
    """Return what an answer to delete says.

    PerfectPay shows no body: the documented Hyperswitch body and an empty one are read.

    Args:
        response: The answer.
        payment_method_id: The id that was to be deleted.

    Raises:
        ResponseDecodingError: The body is no JSON object, or says that nothing or something else
            was deleted.
    """
    answer = _decode_deleted(response, DeletedPaymentMethod, "payment_method_id", payment_method_id)
    if not answer.deleted:
        raise ResponseDecodingError("deleted must be true", path="deleted")
    return answer


def decode_default(response: Response, customer_id: str, method_id: str) -> DefaultPaymentMethod:
    """Return what an answer to set-default says.

    Raises:
        ResponseDecodingError: The body is something else, or names another default.
    """
    answer = _decode(
        response,
        DefaultPaymentMethod,
        _completed({"customer_id": customer_id, "default_payment_method_id": method_id}),
    )
    if answer.default_payment_method_id != method_id:
        raise _another("default_payment_method_id")
    if answer.customer_id != customer_id:
        raise _another("customer_id")
    return answer


def decode_customer(response: Response, expected_id: str | None = None) -> Customer:
    """Return the customer that an answer to create, retrieve or update holds.

    Args:
        response: The answer.
        expected_id: The id that was asked for.

    Raises:
        ResponseDecodingError: The body is not a customer, or not the one asked for.
    """
    return _decode_asked(response, Customer, "customer_id", expected_id)


def decode_customer_page(response: Response) -> CustomerPage:
    """Return the customers that an answer to list holds.

    PerfectPay does not show it: a bare array is read, and an object that has it as `data`.

    Raises:
        ResponseDecodingError: The body is neither, or an item is not a customer.
    """
    return _decode(response, CustomerPage, _enveloped("data"))


def decode_deleted_customer(response: Response, customer_id: str) -> DeletedCustomer:
    """Return what an answer to the deletion of a customer says; an empty one is read, too.

    Raises:
        ResponseDecodingError: The body is no JSON object, or says that nothing or somebody else was
            deleted.
    """
    answer = _decode_deleted(response, DeletedCustomer, "customer_id", customer_id)
    if not answer.customer_deleted:
        raise ResponseDecodingError("customer_deleted must be true", path="customer_deleted")
    return answer


def decode_ephemeral_key(response: Response, customer_id: str) -> EphemeralKey:
    """Return the key that an answer holds.

    Raises:
        ResponseDecodingError: The body is not an ephemeral key, or one for somebody else.
    """
    return _decode_asked(response, EphemeralKey, "customer_id", customer_id)


def decode_deleted_key(response: Response, key_id: str) -> DeletedEphemeralKey:
    """Return what an answer to the deletion of a key says; an empty one is read, too.

    Raises:
        ResponseDecodingError: The body is no JSON object, or is about another key.
    """
    return _decode_deleted(response, DeletedEphemeralKey, "id", key_id)


def to_wire(entity: Entity) -> dict[str, Any]:
    """Return an entity as the JSON object that it came from or could have come from.

    Left out are what is None, secrets, and the raw answer.
    """
    wire: dict[str, Any] = converter().unstructure(entity)
    return wire


def _decode_asked(
    response: Response, cls: type[_Answer], name: str, expected_id: str | None
) -> _Answer:
    entity = _decode(response, cls)
    if expected_id is None or getattr(entity, name) == expected_id:
        return entity
    del entity  # it holds the body's values, and this frame enters a traceback
    raise _another(name)


def _decode_deleted(response: Response, cls: type[_Answer], name: str, asked_id: str) -> _Answer:
    if not response.body.strip():
        return cls(**{name: asked_id, "response": response})
    answer = _decode(response, cls, _completed({name: asked_id}))
    if getattr(answer, name) == asked_id:
        return answer
    del answer  # as above
    raise _another(name)


def _another(name: str) -> ResponseDecodingError:
    return ResponseDecodingError(f"{name} must be the id that was asked for", path=name)


def _enveloped(name: str) -> Callable[[Any], Any]:
    return lambda body: {name: body} if is_array(body) else body


def _completed(asked: Mapping[str, str]) -> Callable[[Any], Any]:
    """Return a function that gives a body what it leaves out of what was asked for."""
    return lambda body: {**asked, **body} if is_object(body) else body


@cache
def _hook_of(cls: type[Any]) -> Callable[[Any, Any], Any]:
    """Return what makes such an entity; the converter would look it up again on each call."""
    hook: Callable[[Any, Any], Any] = converter().get_structure_hook(cls)
    return hook


def _decode(
    response: Response, cls: type[_Answer], prepare: Callable[[Any], Any] | None = None
) -> _Answer:
    kind: Any = cls  # mypy asks whether its objects can be hashed, not whether the class can
    hook = _hook_of(kind)
    try:
        entity: _Answer = (
            hook(decode_json(response.body), cls)
            if prepare is None
            else hook(prepare(decode_json(response.body)), cls)
        )
    except Mismatch as mismatch:
        path, rule = mismatch.path, mismatch.rule
    else:
        # Frozen is for everybody else: a copy with the answer in it would cost as much as decoding.
        object.__setattr__(entity, "response", response)
        return entity
    raise ResponseDecodingError(f"{path or 'the body of the answer'} {rule}", path=path)
