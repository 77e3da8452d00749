"""Expectation suites: one a data set, one a source corpus."""
