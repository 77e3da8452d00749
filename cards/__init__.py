"""Templates of the cards that are published with data sets, models and the demo."""
