#!/usr/bin/env python
import os
import sys

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "proxy_project.settings")
    from proxy_project.command_line import execute

    sys.exit(execute(sys.argv))
