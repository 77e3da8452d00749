"""A small Hub on the loopback, for tests, benchmarks and the demo: `python -m hub` with `tests` on the path."""
