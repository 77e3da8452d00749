"""Near-duplicates: how texts are compared, found again, clustered and screened."""
