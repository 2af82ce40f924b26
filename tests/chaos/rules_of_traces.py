"""What a run leaves: no secrets in anything that can be printed, and nothing that was opened."""

from __future__ import annotations

import pickle
import re
import traceback
from collections.abc import Iterator
from typing import Final

from .evidence import Done, Evidence
from .plan import API_KEY, BIN, CVC

_SECRET: Final = re.compile(
    rf"{API_KEY}|\b{BIN}\d{{10}}\b|(?<![\w.:-]){CVC}(?![\w-])"
    r"|_secret_[0-9A-Za-z]{20}|\btoken_[0-9A-Za-z]{20}"
)
# A CVC is too short to be looked for anywhere in binary data: as a string of its own only.
_PICKLED_SECRET: Final = re.compile(
    rb"%b|%b\d{10}|[\x8cC]\x03%b|_secret_[0-9A-Za-z]{20}|token_[0-9A-Za-z]{20}"
    % (API_KEY.encode(), BIN.encode(), CVC.encode())
)


def no_secret_shows(evidence: Evidence) -> Iterator[str]:
    """No key, number, CVC, client secret or token in logs, errors, tracebacks or pickles."""
    for line in evidence.logs:
        if found := _SECRET.search(line):
            yield f"log: {found[0]}"
    for done in evidence.calls:
        pickled = pickle.dumps(done.result if done.ok else done.failure)
        for text in _printed(done, pickle.loads(pickled)):
            if found := _SECRET.search(text):
                yield f"{done}: {found[0]} in {text[:200]!r}"
        if in_pickle := _PICKLED_SECRET.search(pickled):
            yield f"{done}: pickled {in_pickle[0]!r}"


def _printed(done: Done, unpickled: object) -> Iterator[str]:
    for value in (done.result, done.error, unpickled):
        yield from (repr(value), str(value))
    if done.error is not None:
        yield from traceback.TracebackException.from_exception(
            done.error, capture_locals=True
        ).format()


def nothing_goes_elsewhere(evidence: Evidence) -> Iterator[str]:
    """No redirect is followed."""
    for request in evidence.elsewhere.requests:
        yield f"another host got {request.method} {request.operation}"


def nothing_is_left(evidence: Evidence) -> Iterator[str]:
    """Tasks, timers and descriptors are back to the start, and the pool is whole."""
    if evidence.after != evidence.before:
        yield f"{evidence.before} before, {evidence.after} after"
    if evidence.held != evidence.plan.max_connections:
        yield f"{evidence.held} requests at once of {evidence.plan.max_connections}"
    if not evidence.usable:
        yield "the client is of no use any more"
    for complaint in evidence.complaints:
        yield f"asyncio: {complaint}"
