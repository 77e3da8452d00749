"""Source corpora: one module each, found by name."""
