"""nginx to compare with: the one installed, or Debian's package unpacked into the cache. Nothing is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

CONFIGURATION = """
daemon off;
worker_processes 1;
pid {directory}/nginx.pid;
error_log {directory}/nginx.log error;
worker_rlimit_nofile 65536;
{user}
events {{ worker_connections 16384; }}
http {{
    access_log off;
    client_max_body_size 64m;
    client_body_buffer_size 4m;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    keepalive_requests 1000000000;
    upstream provider {{ server 127.0.0.1:{upstream}; keepalive 1024; keepalive_requests 1000000000; }}
    server {{
        listen 127.0.0.1:{port} backlog=2048;
        location / {{
            proxy_pass http://provider;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_buffering off;
            proxy_read_timeout 600s;
        }}
    }}
}}
"""


def find_nginx(cache: Path) -> Path | None:
    """The program; None where there is none and none can be had."""
    installed = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if installed:
        return Path(installed)
    unpacked = cache / "nginx" / "usr" / "sbin" / "nginx"
    if not unpacked.exists() and shutil.which("apt-get") and shutil.which("dpkg"):
        unpack(cache / "nginx")
    return unpacked if unpacked.exists() and runs(unpacked) else None


def unpack(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    for attempt in range(2):
        got = subprocess.run(["apt-get", "download", "nginx"], cwd=directory, capture_output=True, check=False)
        if got.returncode == 0:
            break
        if attempt == 0 and os.geteuid() == 0:
            subprocess.run(["apt-get", "update"], capture_output=True, check=False)
    for package in directory.glob("*.deb"):
        subprocess.run(["dpkg", "-x", str(package), str(directory)], check=False)


def runs(program: Path) -> bool:
    """Whether its libraries are there."""
    return subprocess.run([str(program), "-v"], capture_output=True, check=False).returncode == 0


def configure(directory: Path, port: int, upstream: int) -> Path:
    """Write the configuration and return its path. No response is buffered: a stream must not be held back."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / "nginx.conf"
    user = "user root;" if os.geteuid() == 0 else ""
    path.write_text(CONFIGURATION.format(directory=directory, port=port, upstream=upstream, user=user))
    return path
