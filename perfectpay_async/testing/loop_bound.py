"""A transport that a synchronous fixture can hand out: it closes itself with the event loop."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from perfectpay_async.http.aiohttp_transport import AiohttpTransport
from perfectpay_async.messages import Request, Response


class LoopBoundTransport(AiohttpTransport):
    """Is closed when the event loop ends in which it was first used.

    Every runner of a loop (asyncio.run, pytest-asyncio, anyio) ends the asynchronous generators
    that are still open in it: one of those keeps this transport.
    """

    _keeper: AsyncGenerator[None] | None = None

    async def send(self, request: Request) -> Response:
        """Send `request` once. See `Transport.send`."""
        if self._keeper is None:
            self._keeper = self._keep()
            await anext(self._keeper)
        return await super().send(request)

    async def _keep(self) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            await self.close()

    def end(self) -> None:
        """Close it from outside, when the loop goes on for longer."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None and self._loop is not None and not self._loop.is_closed():
            self._loop.run_until_complete(keeper.aclose())
