"""Training runs: one YAML each."""
