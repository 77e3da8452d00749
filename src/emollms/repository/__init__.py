"""A dataset repo on disk: parquet, metadata, manifest, versions, diff."""
