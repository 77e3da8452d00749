"""How good are answers: metrics, intervals, calibration, baselines and the published scores."""
