"""Pure decisions about failures: backoff, Retry-After, retry budget. No I/O, no global clock."""
