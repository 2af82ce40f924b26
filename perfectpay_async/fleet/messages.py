"""The message about a chunk: a claim check. It names the work, and never holds a row."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, cast

from attrs import frozen

from .errors import MessageNotUnderstood

FORM: Final = 1
"""Version of the form. It is part of the queue's name, so that versions do not meet."""

_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_MEMBERS: Final = {"form", "job", "generation", "chunk", "source", "rows", "sha256"}


@frozen(kw_only=True)
class ChunkMessage:
    """What a worker is told about a chunk.

    Attributes:
        job: Id of its job.
        generation: Generation of the job.
        chunk: Its number, from 0.
        source: Where its bytes are: the path or URL, the first byte and the one after the last.
        rows: How many rows it has.
        sha256: The hash of its bytes.
    """

    job: str
    generation: int
    chunk: int
    source: tuple[str, int, int]
    rows: int
    sha256: str

    def to_json(self) -> dict[str, Any]:
        """Return it as what JSON can hold."""
        return {
            "form": FORM,
            "job": self.job,
            "generation": self.generation,
            "chunk": self.chunk,
            "source": list(self.source),
            "rows": self.rows,
            "sha256": self.sha256,
        }

    @classmethod
    def from_json(cls, value: object) -> ChunkMessage:
        """Return the message that decoded JSON holds.

        Raises:
            MessageNotUnderstood: It holds none, or one of another form.
        """
        found: Mapping[object, object] = (
            cast("Mapping[object, object]", value) if isinstance(value, Mapping) else {}
        )
        if found.get("form") != FORM:
            raise MessageNotUnderstood(
                f"it is not a message of form {FORM} about a chunk; were it and this worker made "
                "by the same version of perfectpay_async?"
            )
        match found:
            case {
                "job": str() as job,
                "generation": int() as generation,
                "chunk": int() as chunk,
                "source": [str() as location, int() as start, int() as stop],
                "rows": int() as rows,
                "sha256": str() as digest,
            } if set(found) == _MEMBERS and chunk >= 0 and _SHA256.fullmatch(digest):
                return cls(
                    job=job,
                    generation=generation,
                    chunk=chunk,
                    source=(location, start, stop),
                    rows=rows,
                    sha256=digest,
                )
            case _:
                raise MessageNotUnderstood("a member of the message about a chunk is wrong")
