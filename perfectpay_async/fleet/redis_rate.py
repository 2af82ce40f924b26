"""One rate for all workers, kept in Redis: who has nothing to send leaves its share to the others.

Each worker puts its share of the rate into a pool, and takes permits out of it, those of some 50 ms
at a time. What it may not count on is Redis: without it, each worker goes back to its own share,
after the time for which the others may still be using that. So the sum is never above the limit.
"""

from __future__ import annotations

import asyncio
import logging
import math
import uuid
from collections import deque
from contextlib import suppress
from importlib import import_module
from types import TracebackType
from typing import Any, Final, Self

from yarl import URL

from perfectpay_async.errors import ConfigurationError, DeadlineExceeded
from perfectpay_async.outcome import Outcome
from perfectpay_async.resilience.limiter import Gcra

from .errors import AccessRefused
from .tasks import end_tasks

SLICE: Final = 0.05
"""Seconds' worth of permits that are taken at a time."""
MEMBERSHIP: Final = 1.5
"""Seconds for which the share of a worker that is not heard of stays in the pool."""

_BEAT: Final = 0.5
_TIMEOUT: Final = 0.25
_AHEAD: Final = 0.25
"""A permit further ahead than this is not taken: it may never be used."""
_LATE: Final = 0.02
"""A permit later than this is not used: some of them at once would be a burst."""
_LOG: Final = logging.getLogger("perfectpay_async.fleet")

# The generic cell rate algorithm on Redis' own clock. KEYS: schedule, members, shares. ARGV:
# member, share, permits wanted, seconds of membership, most seconds ahead. Returns permits, seconds
# until the first, permits per second.
_SCRIPT: Final = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
redis.call('ZADD', KEYS[2], now, ARGV[1])
redis.call('HSET', KEYS[3], ARGV[1], ARGV[2])
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now - tonumber(ARGV[4]))) do
    redis.call('ZREM', KEYS[2], gone)
    redis.call('HDEL', KEYS[3], gone)
end
redis.call('EXPIRE', KEYS[2], 60)
redis.call('EXPIRE', KEYS[3], 60)
local rate = 0
for _, share in ipairs(redis.call('HVALS', KEYS[3])) do
    rate = rate + tonumber(share)
end
local first = math.max(now, tonumber(redis.call('GET', KEYS[1]) or '0'))
local permits = tonumber(ARGV[3])
if rate <= 0 or first - now > tonumber(ARGV[5]) then
    permits = 0
end
if permits > 0 then
    redis.call('SET', KEYS[1], string.format('%.6f', first + permits / rate), 'EX', 60)
end
return {permits, string.format('%.6f', first - now), string.format('%.6f', rate)}
"""


class RedisRate:
    """A rate that all workers for one API draw from; an async context manager.

    Args:
        url: Where Redis is, `redis://user:password@host/`.
        address: Root of the API.

    Attributes:
        share: This worker's part of the rate, which it puts into the pool.
        pooled: Whether the pool can be used, and the share alone counts otherwise.

    Raises:
        ConfigurationError: `url` is none, or the package redis is missing.
        AccessRefused: On entering: Redis refuses the login. While it is only away, the share alone
            counts.
    """

    def __init__(self, url: str, address: URL) -> None:
        try:
            redis: Any = import_module("redis.asyncio")
            self._errors: Any = import_module("redis.exceptions")
            self._failures: Any = (self._errors.RedisError, OSError, TimeoutError)
        except ImportError:
            raise ConfigurationError(
                "a rate in Redis needs the package redis; "
                'install it with: pip install "perfectpay-async[fleet]"'
            ) from None
        try:
            self._client: Any = redis.Redis.from_url(
                url, socket_timeout=_TIMEOUT, socket_connect_timeout=_TIMEOUT
            )
        except ValueError:
            raise ConfigurationError("the rate is in redis://user:password@host/") from None
        self.share: float = 0.0
        self.pooled: bool = False
        self._member = uuid.uuid4().hex
        prefix = f"perfectpay:fleet:{address.origin()}"
        self._keys = [f"{prefix}:schedule", f"{prefix}:members", f"{prefix}:shares"]
        self._permits: deque[float] = deque()
        self._rate = 1.0
        self._alone: Gcra | None = None
        self._alone_from = 0.0
        self._away = False
        self._waiting = 0
        self._turn = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._now = asyncio.get_running_loop().time
        self._alone_from = self._now() + MEMBERSHIP
        try:
            await self._ask(0)
        except (self._errors.AuthenticationError, self._errors.NoPermissionError):
            await self._close()
            raise AccessRefused(
                "Redis refuses the login, or does not let this user run scripts; look at the user "
                "and the password in its address"
            ) from None
        except self._failures:
            pass  # it may come yet
        self._task = asyncio.create_task(self._keep_membership())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._task is not None:
            await end_tasks(self._task)
        await self._close()

    async def grant(self, deadline: float) -> None:
        """Wait until one more request may be sent. First come, first served.

        Args:
            deadline: When to give up, by the event loop's clock.

        Raises:
            DeadlineExceeded: It came first; nothing was sent.
        """
        self._waiting += 1
        task = asyncio.current_task()
        cancels = task.cancelling() if task else 0
        try:
            async with asyncio.timeout_at(deadline), self._turn:
                while not await self._next():
                    # The client of Redis may swallow a cancel that comes while it connects.
                    if task and task.cancelling() > cancels:
                        raise asyncio.CancelledError
        except TimeoutError:
            raise DeadlineExceeded(
                "the deadline passed while the fleet's rate held the request back",
                outcome=Outcome.NOT_SENT,
            ) from None
        finally:
            self._waiting -= 1

    async def _next(self) -> bool:
        """Wait for the next permit; return whether there was one."""
        if not self.pooled:
            return await self._next_alone()
        while self._permits:
            due = self._permits.popleft()
            if due > self._now():
                await asyncio.sleep(due - self._now())
            if self._now() - due < _LATE:
                return self.pooled
        most = max(1, math.ceil(self._rate * SLICE))
        ahead = await self._take(min(self._waiting, most))
        if not self._permits and self.pooled:
            await asyncio.sleep(min(max(ahead - _AHEAD / 2, 0.005), _BEAT))
        return False

    async def _next_alone(self) -> bool:
        now = self._now()
        wait = self._alone_from - now
        if wait <= 0 and self.share > 0:
            if self._alone is None:
                self._alone = Gcra(self.share)
            self._alone.rate = self.share
            wait = self._alone.delay(now)
            if wait <= 0:
                self._alone.take(now)
                return True
        await asyncio.sleep(min(wait, _BEAT) if wait > 0 else _BEAT)
        return False

    async def _take(self, permits: int) -> float:
        """Take permits, or none to stay a member; return the seconds until the next ones."""
        asked = self._now()
        try:
            taken, ahead, rate = await self._ask(permits)
        except self._failures as error:
            self._leave(asked, type(error).__name__)
            return 0.0
        if not self.pooled:
            _LOG.info("the rate is that of the fleet's pool in Redis")
        self.pooled, self._away, self._alone = True, False, None
        self._alone_from = self._now() + MEMBERSHIP
        self._rate = max(float(rate), 1.0)
        # Counted from now, so after Redis did: a slow answer makes permits late, never early.
        first = self._now() + float(ahead)
        self._permits.extend(first + place / self._rate for place in range(int(taken)))
        return float(ahead)

    async def _ask(self, permits: int) -> Any:
        # A timeout of our own: that of a socket begins anew with every connection.
        async with asyncio.timeout(2 * _TIMEOUT):
            return await self._client.eval(
                _SCRIPT, 3, *self._keys, self._member, self.share, permits, MEMBERSHIP, _AHEAD
            )

    def _leave(self, asked: float, reason: str) -> None:
        """Go on without Redis, once the others cannot be using this worker's share any more."""
        if not self._away:
            _LOG.warning("Redis cannot be used (%s): from now on the share alone counts", reason)
            self.pooled, self._away = False, True
            self._permits.clear()
            # It may have counted this worker in though its answer was lost.
            self._alone_from = asked + 2 * _TIMEOUT + MEMBERSHIP

    async def _close(self) -> None:
        with suppress(Exception):
            await self._client.aclose()

    async def _keep_membership(self) -> None:
        while True:
            await self._take(0)
            await asyncio.sleep(_BEAT)
