"""How a source becomes rows: metadata, reading, the base class, the catalogue, download and check."""
