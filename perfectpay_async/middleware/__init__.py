"""The default middlewares: auth, idempotency, retry, logging. One short file each."""

from .auth import ApiKeyAuth, ApiKeyProvider
from .idempotency import IdempotencyKey
from .logging import LogCalls
from .rate_limit import RateLimit
from .retry import Retry

__all__ = ["ApiKeyAuth", "ApiKeyProvider", "IdempotencyKey", "LogCalls", "RateLimit", "Retry"]
