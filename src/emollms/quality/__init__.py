"""What may stay in a data set: near-duplicates, contamination, expectations, sensitive text."""
