"""What `manage.py history` can do, one module for each group of actions."""
