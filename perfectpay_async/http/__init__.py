"""The call path: the middleware pipeline and the transport at its end."""
