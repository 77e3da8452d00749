"""The report: scores and answers of several models on one page."""
