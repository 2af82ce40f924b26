"""Frozen objects, filled at the price of ordinary ones.

A frozen class refuses assignment, so attrs fills its objects by one call of `object.__setattr__` for
each field, which takes four times as long as assigning. On the path of every call, and a hundred
times in a list, that counts. A draft is an object of the same layout that may be assigned to; when
all its fields are there, assigning the frozen class to its `__class__` makes it one of those.
"""

from __future__ import annotations

from typing import Any


def draft_of(cls: type) -> Any:
    """Return a class whose objects have the slots of `cls` and can be assigned to.

    Args:
        cls: A frozen attrs class with slots but none for weak references, whose base is not frozen.
    """
    return type(f"{cls.__name__}Draft", (cls.__base__,), {"__slots__": cls.__dict__["__slots__"]})
