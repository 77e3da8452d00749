"""Tables that users bring: CSV, TSV, JSON Lines, JSON, Parquet, texts; read exactly, or refused with the line."""
