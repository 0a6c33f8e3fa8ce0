"""nginx before a server: on a sub-path, with the headers of HTTPS, and a limit of 1 MB."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

_PATIENCE = 120.0
_CONFIGURATION = """
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log stderr;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        client_max_body_size 1m;
        location /photos/ {{
            proxy_pass {server};
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-Proto {scheme};
            proxy_set_header X-Forwarded-For $remote_addr;
        }}
    }}
}}
"""


@contextlib.contextmanager
def proxying(folder: Path, server: str, scheme: str) -> Iterator[str]:
    """Run nginx with its defaults (which buffer) before a server; yields the address. Skips where nginx is missing.

    Args:
        folder: For its files; its name must be short and readable for all.
        server: The address of the server, without a path.
        scheme: What nginx says that the browser speaks.
    """
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        pytest.skip("needs nginx (Debian: nginx-light)")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder.mkdir()
    text = _CONFIGURATION.format(folder=folder, port=port, server=server, scheme=scheme)
    (folder / "nginx.conf").write_text(text)
    # As the same user: with root's rights nginx changes to another one, who may not enter the folder of the test.
    head = "user root;\n" if not os.getuid() else ""
    (folder / "nginx.conf").write_text(head + text)
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, "-p", str(folder), "-c", str(folder / "nginx.conf")], stderr=log)
        try:
            end = time.monotonic() + _PATIENCE
            while True:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5):
                    break
                if process.poll() is not None or time.monotonic() > end:
                    pytest.fail(f"nginx does not listen: {(folder / 'log').read_text()}")
                time.sleep(0.05)
            yield f"http://127.0.0.1:{port}/photos/"
        finally:
            process.terminate()
            process.wait(_PATIENCE)
