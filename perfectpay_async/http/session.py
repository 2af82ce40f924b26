"""The ordinary way: a request through an aiohttp session, ours or yours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aiohttp

from perfectpay_async.messages import Request

from .exchange import Answer, Exchange


class Body(aiohttp.Payload):
    """The body of a request. It tells the exchange when it begins to be sent.

    Args:
        body: The encoded body; its `repr` stays masked wherever aiohttp passes it on.
        exchange: To tell.
    """

    _autoclose = True  # there is nothing to close

    def __init__(self, body: bytes, exchange: Exchange) -> None:
        super().__init__(body, content_type="application/json")
        self._size = len(body)
        self._exchange = exchange

    async def write(self, writer: Any) -> None:
        """Send the body, if the server has not hung up yet."""
        # Between connecting and this, a loop's turn may pass in which the server hangs up.
        self._exchange.note_write(writer.transport)
        await writer.write(self._value)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Return the body as text."""
        return str(self._value, encoding, errors)


class SessionWay:
    """Sends requests through a session.

    Args:
        session: The session.
        settings: What it is told with each request, besides the request.
    """

    __slots__ = ("_session", "_settings")

    def __init__(self, session: aiohttp.ClientSession, settings: Mapping[str, Any]) -> None:
        self._session = session
        self._settings = settings

    async def send(self, request: Request, exchange: Exchange) -> Answer:
        """Send `request`, and return the answer when its head is there.

        Raises:
            Exception: Whatever the session raises.
        """
        response = await self._session.request(
            request.operation.method,
            request.url,
            headers=request.headers,
            data=None if request.body is None else Body(request.body, exchange),
            **self._settings,
        )
        exchange.response = response
        return Answer(response.status, response.headers, response.content)
