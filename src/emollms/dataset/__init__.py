"""A dataset repo on disk: built, read, described, versioned and compared."""
