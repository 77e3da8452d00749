"""Publishing to the Hub, all or nothing; data sets of which only ids may be passed on, and their way back."""
