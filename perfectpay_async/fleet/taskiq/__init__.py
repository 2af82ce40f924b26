"""A fleet on taskiq and RabbitMQ. It needs the `fleet` extra."""

from .broker import CHUNKS_AT_ONCE, FleetBroker
from .queue import RabbitQueue
from .serving import serve

__all__ = ["CHUNKS_AT_ONCE", "FleetBroker", "RabbitQueue", "serve"]
