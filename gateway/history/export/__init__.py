"""Getting the history out: JSON Lines, HAR, Parquet, and one session as a page."""
