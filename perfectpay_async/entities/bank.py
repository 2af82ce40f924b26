"""Bank accounts, as far as the API shows them."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from .base import Entity, extra_field


@frozen(kw_only=True, eq=False, repr=False)
class Bank(Entity):
    """A masked bank account.

    Attributes:
        mask: The last digits of the account, as the server masks it.
        extra: Fields that this version does not know.
    """

    mask: str | None = None
    extra: Mapping[str, object] = extra_field()
