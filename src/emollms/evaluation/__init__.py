"""How good answers are: metrics, intervals, calibration, baselines and the published scores."""
