"""Counts in sentences: `1 row`, `2 rows`."""

from __future__ import annotations


def counted(many: int, noun: str) -> str:
    """Return a count and what is counted.

    Args:
        many: How many.
        noun: What one of them is called; two and more get an `s`.
    """
    return f"{many:,} {agreeing(many, noun, noun + 's')}"


def agreeing(many: int, one: str, more: str) -> str:
    """Return the form of a word that goes with a count, such as `has` or `have`."""
    return one if many == 1 else more
