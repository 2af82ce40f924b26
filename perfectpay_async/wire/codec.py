"""Answers to entities, and entities to JSON objects.

What the converter refuses is a `Mismatch`. It is caught and dropped together with its traceback,
because the frames in there hold values of the body; the error that the caller sees is raised from a
frame that holds none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from perfectpay_async.entities import DeletedPaymentMethod, Entity, PaymentMethod, PaymentMethodList
from perfectpay_async.errors import ResponseDecodingError
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
    method = _decode(response, PaymentMethod)
    if expected_id in (None, method.payment_method_id):
        return method
    del method  # it holds the body's values, and this frame enters a traceback
    raise _another_method()


def decode_payment_method_list(response: Response) -> PaymentMethodList:
    """Return the list that an answer to list holds.

    PerfectPay does not document the envelope: an object with `customer_payment_methods` is read,
    and a bare array too.

    Raises:
        ResponseDecodingError: The body is neither, or an item is not a payment method.
    """
    return _decode(response, PaymentMethodList, _list_envelope)


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
    if not response.body.strip():
        return DeletedPaymentMethod(payment_method_id=payment_method_id, response=response)

    def completed(body: Any) -> Any:
        return {"payment_method_id": payment_method_id, **body} if is_object(body) else body

    answer = _decode(response, DeletedPaymentMethod, completed)
    if answer.payment_method_id != payment_method_id:
        raise _another_method()
    if not answer.deleted:
        raise ResponseDecodingError("deleted must be true", path="deleted")
    return answer


def to_wire(entity: Entity) -> dict[str, Any]:
    """Return an entity as the JSON object that it came from or could have come from.

    Left out are what is None, secrets, and the raw answer.
    """
    wire: dict[str, Any] = converter().unstructure(entity)
    return wire


def _another_method() -> ResponseDecodingError:
    return ResponseDecodingError(
        "payment_method_id must be the id that was asked for", path="payment_method_id"
    )


def _list_envelope(body: Any) -> Any:
    return {"customer_payment_methods": body} if is_array(body) else body


def _unchanged(body: Any) -> Any:
    return body


def _decode(
    response: Response, cls: type[_Answer], prepare: Callable[[Any], Any] = _unchanged
) -> _Answer:
    try:
        entity: _Answer = converter().structure(prepare(response.json()), cls)
    except Mismatch as mismatch:
        path, rule = mismatch.path, mismatch.rule
    else:
        # Frozen is for everybody else: a copy with the answer in it would cost as much as decoding.
        object.__setattr__(entity, "response", response)
        return entity
    raise ResponseDecodingError(f"{path or 'the body of the answer'} {rule}", path=path)
