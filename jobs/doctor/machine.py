"""The machine: Python and the libraries, DuckDB, Ray, torch, room on the disks."""

import os
import platform
import shlex
import shutil
import tempfile
import warnings
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from urllib.parse import urlsplit

from packaging.requirements import Requirement

from jobs.doctor.finding import Finding, ok
from jobs.process.cores import usable_cores
from schemas.errors import NotReadyError

SHOWN = ("torch", "ray", "pyarrow", "duckdb", "fsspec", "s3fs")
LEAST_FREE = 1e9  # bytes: a small run fills a tenth of it
RAY_SECONDS = 1.5  # with the look-up of the name
# gRPC's own health check (grpc/health/v1/health.proto), which Ray's head answers. An empty request asks for the
# whole server.
_HEALTH_CHECK = "/grpc.health.v1.Health/Check"


def python() -> list[Finding]:
    """Which Python, and which of ours."""
    return [ok("python", f"{platform.python_version()}, unrolled {version('unrolled')}")]


def libraries() -> list[Finding]:
    """The versions of what a run computes, stores and asks with; what is missing or older than we ask for."""
    wanted = [Requirement(line) for line in requires("unrolled") or ()]
    wanted = [library for library in wanted if not library.marker or library.marker.evaluate({"extra": ""})]
    there = {library.name: _version(library.name) for library in wanted}

    wrong = [library for library in wanted if not _fits(library, there[library.name])]
    if not wrong:
        return [ok("libraries", ", ".join(f"{name} {there[name]}" for name in SHOWN))]

    reasons = [f"{library} is asked for and {there[library.name] or 'nothing'} is there" for library in wrong]
    is_missing = any(there[library.name] is None for library in wrong)
    remedy = f"type pip install {shlex.join(str(library) for library in wrong)}"
    return [Finding("libraries", "fail" if is_missing else "warn", ", ".join(reasons), remedy)]


def duckdb() -> list[Finding]:
    """Which DuckDB, and how it would read S3."""
    from pipeline.queries.engine import describe_engine

    return [ok("duckdb", f"{version('duckdb')}; reads S3 with {describe_engine()}")]


def ray(environment: Mapping[str, str] = os.environ) -> list[Finding]:
    """Whether Ray can be imported, and whether the cluster that is set answers; nothing is started."""
    import jobs.runners.ray  # noqa: F401  # all that a run needs of it
    from jobs.runners.sockets import check_socket_room

    installed = version("ray")
    address = environment.get("RAY_ADDRESS", "")
    if not address or address == "local":
        check_socket_room(environment)
        return [ok("ray", f"{installed}; a run starts its own on {usable_cores()} cores (RAY_ADDRESS is not set)")]
    if address == "auto":
        return [ok("ray", f"{installed}; RAY_ADDRESS is auto: a run looks for a Ray on this machine")]

    where = urlsplit(address if "://" in address else f"//{address}")
    if not where.hostname or not where.port:
        raise NotReadyError(f"RAY_ADDRESS is {address!r}, which is no address; set it to HOST:PORT, or unset it")
    if why := _why_silent(where.netloc.rpartition("@")[2]):
        remedy = "start that cluster, or unset RAY_ADDRESS to have a Ray of this machine started"
        return [Finding("ray", "fail", f"RAY_ADDRESS is {address}, and no Ray answers there: {why}", remedy)]
    return [ok("ray", f"{installed}; the cluster at RAY_ADDRESS {address} answers")]


def torch() -> list[Finding]:
    """What torch computes with."""
    import torch as library

    with warnings.catch_warnings(record=True) as caught:  # of a driver that does not fit
        warnings.simplefilter("always")
        count = library.cuda.device_count() if library.cuda.is_available() else 0

    names = ", ".join(library.cuda.get_device_name(number) for number in range(count))
    text = f"{library.__version__}, {library.get_num_threads()} threads; CUDA: {names or 'none, so the CPU'}"
    if caught:
        why = str(caught[0].message).splitlines()[0]
        return [Finding("torch", "warn", f"{text} ({why})", "type nvidia-smi to see what the driver says")]
    return [ok("torch", text)]


def disk(name: str, place: Path, remedy: str) -> list[Finding]:
    """Room on the disk that a folder lies on, or would lie on once it is made."""
    existing = next(folder for folder in (place, *place.parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    text = f"{free / 1e9:,.1f} GB free in {place}"
    return [ok(name, text) if free >= LEAST_FREE else Finding(name, "warn", text, remedy)]


def disks(root: str) -> list[Finding]:
    """Room where a run, questions on S3, and Ray with its kin write."""
    from pipeline.storage.cache import cache_home

    findings: list[Finding] = []
    if "://" not in root:
        findings += disk("root disk", Path(root).absolute(), "free some, or choose another --root")
    findings += disk("cache disk", cache_home(), "free some, or set UNROLLED_CACHE to a folder on another disk")
    temporary = Path(tempfile.gettempdir())
    return findings + disk("temporary", temporary, "free some, or set TMPDIR to a folder on another disk")


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _fits(library: Requirement, installed: str | None) -> bool:
    return installed is not None and library.specifier.contains(installed, prereleases=True)


def _why_silent(address: str) -> str:
    """Why nobody who speaks gRPC answers at an address; empty when somebody does.

    Joining a cluster to see would take many seconds.
    """
    import grpc

    silent = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)
    with grpc.insecure_channel(address, [("grpc.enable_http_proxy", 0)]) as channel:
        try:
            channel.unary_unary(_HEALTH_CHECK)(b"", timeout=RAY_SECONDS)
        except grpc.RpcError as error:  # another code is an answer: Ray's client server has no health check
            return _last_reason(error.details()) if error.code() in silent else ""
    return ""


def _last_reason(details: str) -> str:
    """What gRPC ends with: `failed to connect to all addresses; last error: …: Connection refused`."""
    return details.splitlines()[0].rpartition(": ")[2].rstrip("]") if details else "no answer"
