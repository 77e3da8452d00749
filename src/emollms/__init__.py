"""EmoLLMs, done properly: data sets, tuning, evaluation and annotation of affect in text."""

__version__ = "0.1.0"
