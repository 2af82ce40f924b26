"""The seam at the end of the pipeline: something that sends one request and reads its answer."""

from __future__ import annotations

from typing import Protocol

from perfectpay_async.messages import Request, Response


class Transport(Protocol):
    """Sends a request once. No retries, no redirects, no judgement of the status."""

    async def send(self, request: Request) -> Response:
        """Send `request` and read the whole answer.

        It must end by `request.deadline`, and within `request.attempt_timeout` seconds.

        Returns:
            The answer, whatever its status.

        Raises:
            TransportError: No complete answer arrived; `outcome` says whether anything was sent.
            DeadlineExceeded: The call's deadline passed first.
            ResponseTooLarge: The body is larger than allowed.
        """
        ...

    async def close(self) -> None:
        """Give back all connections. Calling it again does nothing."""
        ...
