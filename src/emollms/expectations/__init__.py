"""The quality gate: suites of expectations, and the page that shows what they found."""
