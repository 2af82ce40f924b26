"""Surcharges that a payment with a saved method would add."""

from __future__ import annotations

from collections.abc import Mapping

from attrs import frozen

from .base import Entity, extra_field
from .enums import SurchargeKind


@frozen(kw_only=True, eq=False, repr=False)
class Percentage(Entity):
    """A share of the amount.

    Attributes:
        percentage: In percent: 2.5 means 2.5 %.
        extra: Fields that this version does not know.
    """

    percentage: float | None = None
    extra: Mapping[str, object] = extra_field()


@frozen(kw_only=True, eq=False, repr=False)
class Surcharge(Entity):
    """A surcharge, fixed or a share.

    Attributes:
        type: `SurchargeKind.FIXED` or `SurchargeKind.RATE`.
        value: For a fixed surcharge the amount in minor units (cents), for a rate a `Percentage`.
        extra: Fields that this version does not know.
    """

    type: SurchargeKind | None = None
    value: int | Percentage | None = None
    extra: Mapping[str, object] = extra_field()


@frozen(kw_only=True, eq=False, repr=False)
class SurchargeDetails(Entity):
    """A surcharge with its tax and the amounts to show to the payer.

    Attributes:
        surcharge: The surcharge itself.
        tax_on_surcharge: The tax on it.
        display_surcharge_amount: The surcharge in major units (dollars), for display.
        display_tax_on_surcharge_amount: Its tax in major units, for display.
        display_total_surcharge_amount: Both in major units, for display.
        extra: Fields that this version does not know.
    """

    surcharge: Surcharge | None = None
    tax_on_surcharge: Percentage | None = None
    display_surcharge_amount: float | None = None
    display_tax_on_surcharge_amount: float | None = None
    display_total_surcharge_amount: float | None = None
    extra: Mapping[str, object] = extra_field()
