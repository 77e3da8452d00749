"""Engines that generate and score; decoding."""
