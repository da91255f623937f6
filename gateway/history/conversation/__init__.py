"""Sessions as people think of them: turns and their attempts, who is whose child, what changed from turn to turn."""
