"""Secrets: values that may be sent, but never shown, logged or pickled.

A card number meets many frames on its way to the socket, and any of them may end in a traceback
that prints its local variables. So what leaves a `Secret` is not a bare string but one whose
`repr` is masked: the JSON encoder and the HTTP writer see the value, a debugger sees the mask.
"""

from __future__ import annotations

import hmac
from typing import Final, NoReturn, SupportsIndex, cast

MASK: Final = "**********"


class MaskedStr(str):
    """A string that is what it says, except in `repr`, where it is masked.

    It encodes, compares, concatenates and serialises as the text itself; only tools that print
    values for people (tracebacks with locals, debuggers, error trackers) see the mask.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(MASK)

    def __copy__(self) -> MaskedStr:
        return self

    def __deepcopy__(self, memo: object) -> MaskedStr:
        return self

    def __reduce_ex__(self, protocol: SupportsIndex, /) -> NoReturn:
        raise TypeError("a revealed secret cannot be pickled")


def masked(text: object) -> str:
    """Return an argument masked, so that a frame that refuses it does not show it.

    Whatever is no string is dropped: it can only be refused, and it could be a card number.
    """
    return MaskedStr(text) if isinstance(text, str) else cast("str", None)


class MaskedBytes(bytes):
    """Bytes, such as a request body, whose `repr` is masked like that of `MaskedStr`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{len(self)} masked bytes>"

    def __copy__(self) -> MaskedBytes:
        return self

    def __deepcopy__(self, memo: object) -> MaskedBytes:
        return self

    def __reduce_ex__(self, protocol: SupportsIndex, /) -> NoReturn:
        raise TypeError("a masked body cannot be pickled")


class Secret:
    """A value that is sent to the server but shown to nobody.

    `repr`, `str` and formatting give a mask. Pickling drops the value, so that an object which
    holds a secret can travel to another process without it: `reveal()` then raises.

    Args:
        value: The secret text, or another `Secret`.

    Examples:
        >>> key = Secret("snd_example")
        >>> print(key, [key])
        ********** [Secret('**********')]
        >>> key.reveal() == "snd_example"
        True
    """

    __slots__ = ("_value",)

    def __init__(self, value: str | Secret) -> None:
        # No check here: a card number passed as an int would show up in this very frame.
        # `reveal` refuses what is not text, where no frame holds the bare value.
        self._value: object = value._value if isinstance(value, Secret) else value

    def reveal(self) -> str:
        """Return the value, for sending it.

        Returns:
            The text, as a string with a masked `repr`.

        Raises:
            TypeError: What was put in is not a string.
            ValueError: The secret came out of a pickle, which does not carry its value.
        """
        if not isinstance(self._value, str):
            raise TypeError(f"a secret must be a str, not {type(self._value).__name__}")
        return MaskedStr(self._value)

    def __repr__(self) -> str:
        return f"Secret({MASK!r})"

    def __str__(self) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        if not (isinstance(self._value, str) and isinstance(other._value, str)):
            return False
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash(self._value)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce__(self) -> tuple[type[_Pickled], tuple[()]]:
        return (_Pickled, ())


class _Pickled(Secret):
    """What a `Secret` becomes after pickling: it knows that it lost its value."""

    __slots__ = ()

    def __init__(self) -> None:
        self._value = None

    def reveal(self) -> str:
        """Raise: there is nothing left to reveal."""
        raise ValueError(
            "this Secret was pickled, which drops its value; create it again in this process"
        )
