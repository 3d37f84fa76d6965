"""A Ray head of our own on the loopback address, ended by its own process ids and no other's."""

import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.ports import free_port


@contextmanager
def ray_head(folder: Path, cpus: int = 2, port: int | None = None) -> Iterator[str]:
    """Start `ray start --head --block`; give its dashboard's address."""
    dashboard = free_port()
    command = ["ray", "start", "--head", "--block", "--node-ip-address=127.0.0.1", f"--port={port or free_port()}"]
    command += [f"--num-cpus={cpus}", "--dashboard-host=127.0.0.1", f"--dashboard-port={dashboard}"]
    # Ray's fixed port, 52365, may belong to another test's Ray, and a job needs the agent that listens on it.
    command += [
        "--include-dashboard=true",
        f"--dashboard-agent-listen-port={free_port()}",
        "--disable-usage-stats",
    ]
    log = (folder / "head.log").open("w")
    head = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        address = f"http://127.0.0.1:{dashboard}"
        _wait(address, folder / "head.log")
        yield address
    finally:
        head.send_signal(signal.SIGTERM)
        try:
            head.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(head.pid, signal.SIGKILL)
        log.close()


def _wait(address: str, log: Path, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"{address}/api/jobs/", timeout=2):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.3)
    raise TimeoutError(f"the head did not start: {log.read_text()}")
