"""Annotation: texts of any kind in, scores, labels and calibrated confidences out, and nothing lost on the way."""
