"""User names, addresses, numbers, links and secrets: found, counted, masked."""
