"""The typed methods of the API: one thin layer over the call path."""
