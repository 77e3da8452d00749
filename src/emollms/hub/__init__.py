"""Publishing to the Hub, all or nothing; data sets of which only ids may be redistributed, and their way back."""
