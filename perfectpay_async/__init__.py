"""Async Python client for the PerfectPay payment-methods API."""

from ._version import __version__

__all__ = ["__version__"]
