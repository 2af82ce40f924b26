"""Between bytes and entities: bodies in, bodies out, error answers. No I/O."""
