"""What is under way now: told by `web` processes, shown as it happens."""
