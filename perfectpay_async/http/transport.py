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
            ClientClosedError: The transport was closed, before or meanwhile.
            ResponseTooLarge: The body is larger than allowed.
        """
        ...

    async def close(self, *, drain: float = 0.0) -> None:
        """Give back all connections.

        What is under way when the wait is over ends at once with `ClientClosedError`, whose
        `outcome` says whether the request may have been sent. What comes later is refused.
        Calling it again does nothing; with a shorter wait it ends the wait of the first call.

        Args:
            drain: Seconds to wait for the requests that are under way; `math.inf` for as long as
                they take.

        Raises:
            WrongEventLoopError: The connections belong to another event loop or process.
        """
        ...
