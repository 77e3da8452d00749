"""`python -m emollms`."""

from emollms.cli import main

main()
