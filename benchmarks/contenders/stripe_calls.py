"""The calls of stripe-python, which are the same on both of its transports."""

from __future__ import annotations

from typing import Any

import stripe

from . import KEY, Calls


def calls_of(url: str, http_client: Any) -> Calls:
    client = stripe.StripeClient(
        KEY, http_client=http_client, base_addresses={"api": url}, max_network_retries=2
    )
    methods = client.v1.payment_methods
    return {
        "update": lambda name: methods.update_async(
            f"pm_{name}", params={"card": {"exp_month": 12, "exp_year": 2031}}
        ),
        "retrieve": lambda name: methods.retrieve_async(f"pm_{name}"),
        "list 3": lambda name: client.v1.customers.payment_methods.list_async(f"cus_3_{name}"),
        "list 100": lambda name: client.v1.customers.payment_methods.list_async(f"cus_100_{name}"),
    }
