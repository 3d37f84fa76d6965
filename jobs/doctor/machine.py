"""The machine: Python and the libraries, DuckDB, Ray, torch, room on the disks."""

import os
import platform
import shutil
import socket
import tempfile
import warnings
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from urllib.parse import urlsplit

from packaging.requirements import Requirement

from jobs.doctor.finding import Finding, ok, within
from schemas.errors import NotReadyError

SHOWN = ("torch", "ray", "pyarrow", "duckdb", "fsspec", "s3fs")
LEAST_FREE = 1e9  # bytes: a small run fills a tenth of it
RAY_SECONDS, RAY_LIMIT = 1.5, 3.0  # for each step, and with the look-up of the name
# How whoever speaks HTTP/2, as gRPC does, begins; a server answers with settings of its own.
_HTTP2_OPENING = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])


def python() -> list[Finding]:
    """Which Python, and which of ours."""
    return [ok("python", f"{platform.python_version()}, unrolled {version('unrolled')}")]


def libraries() -> list[Finding]:
    """The versions of what a run computes, stores and asks with; what is missing or older than we ask for."""
    wanted = [Requirement(line) for line in requires("unrolled") or ()]
    wanted = [one for one in wanted if one.marker is None or one.marker.evaluate({"extra": ""})]
    there = {one.name: _version(one.name) for one in wanted}
    told = ", ".join(f"{name} {there[name] or 'is missing'}" for name in SHOWN)
    wrong = [one for one in wanted if not one.specifier.contains(there[one.name] or "0", prereleases=True)]
    if not wrong:
        return [ok("libraries", told)]
    names = ", ".join(f"{one} is asked for and {there[one.name] or 'nothing'} is there" for one in wrong)
    missing = any(there[one.name] is None for one in wrong)
    remedy = f"type pip install {' '.join(repr(str(one)) for one in wrong)}"
    return [Finding("libraries", "fail" if missing else "warn", names, remedy)]


def duckdb() -> list[Finding]:
    """Which DuckDB, and how it would read S3."""
    from pipeline.queries.engine import describe_engine

    return [ok("duckdb", f"{version('duckdb')}; reads S3 with {describe_engine()}")]


def ray(environment: Mapping[str, str] = os.environ) -> list[Finding]:
    """Whether Ray can be imported, and whether the cluster that is set answers; nothing is started."""
    import jobs.runners.ray  # noqa: F401  # all that a run needs of it

    there = version("ray")
    address = environment.get("RAY_ADDRESS", "")
    if not address or address == "local":
        return [ok("ray", f"{there}; a run starts its own on {_cores()} cores (RAY_ADDRESS is not set)")]
    if address == "auto":
        return [ok("ray", f"{there}; RAY_ADDRESS is auto: a run looks for a Ray on this machine")]
    where = urlsplit(address if "://" in address else f"//{address}")
    if not where.hostname or not where.port:
        raise NotReadyError(f"RAY_ADDRESS is {address!r}, which is no address; set it to HOST:PORT, or unset it")
    host, port = where.hostname, where.port
    try:
        within(RAY_LIMIT, lambda: _greet(host, port))
    except OSError as error:  # a time-out is one too
        why = error.strerror or "no answer"
        remedy = "start that cluster, or unset RAY_ADDRESS to have a Ray of this machine started"
        return [Finding("ray", "fail", f"RAY_ADDRESS is {address}, and no Ray answers there: {why}", remedy)]
    return [ok("ray", f"{there}; the cluster at RAY_ADDRESS {address} answers")]


def torch() -> list[Finding]:
    """What torch computes with."""
    import torch as library

    with warnings.catch_warnings(record=True) as caught:  # of a driver that does not fit
        warnings.simplefilter("always")
        count = library.cuda.device_count() if library.cuda.is_available() else 0
    names = ", ".join(library.cuda.get_device_name(number) for number in range(count))
    told = f"{library.__version__}, {library.get_num_threads()} threads; CUDA: {names or 'none, so the CPU'}"
    if caught:
        why = str(caught[0].message).splitlines()[0]
        return [Finding("torch", "warn", f"{told} ({why})", "type nvidia-smi to see what the driver says")]
    return [ok("torch", told)]


def disk(name: str, place: Path, remedy: str) -> list[Finding]:
    """Room on the disk that a folder lies on, or would lie on once it is made."""
    there = next(one for one in (place, *place.parents) if one.exists())
    free = shutil.disk_usage(there).free
    told = f"{free / 1e9:,.1f} GB free in {place}"
    return [ok(name, told) if free >= LEAST_FREE else Finding(name, "warn", told, remedy)]


def disks(root: str) -> list[Finding]:
    """Room where a run, questions on S3, and Ray with its kin write."""
    from pipeline.storage.cache import cache_home

    found = (
        [] if "://" in root else disk("root disk", Path(root).absolute(), "free some, or choose another --root")
    )
    found += disk("cache disk", cache_home(), "free some, or set UNROLLED_CACHE to a folder on another disk")
    place = Path(tempfile.gettempdir())
    return found + disk("temporary", place, "free some, or set TMPDIR to a folder on another disk")


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _greet(host: str, port: int) -> None:
    """Raise OSError when nobody who speaks HTTP/2 answers. Joining a cluster to see would take many seconds."""
    with socket.create_connection((host, port), RAY_SECONDS) as there:
        there.settimeout(RAY_SECONDS)
        there.sendall(_HTTP2_OPENING)
        if not there.recv(1):
            raise ConnectionError(0, "it hangs up")
