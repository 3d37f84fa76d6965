"""How DuckDB reaches a lake that is not on this disk: its own httpfs, or a file system of ours by fsspec.

    UNROLLED_DUCKDB_FILES   httpfs, fsspec, or auto: the choice of decision 13

Nothing is ever downloaded: httpfs comes from the wheel duckdb-extension-httpfs of DuckDB's own version, or was
installed into DuckDB before. Both ways read the same objects and give the same answers.
"""

import importlib.util
import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from urllib.parse import urlsplit

import duckdb

from pipeline.queries.quoting import quoted
from pipeline.storage.folder import Folder
from pipeline.storage.listed import ListedObjects
from pipeline.storage.s3 import S3Connection
from schemas.errors import UsageError

SETTING = "UNROLLED_DUCKDB_FILES"
WAYS = ("auto", "httpfs", "fsspec")
# A request waits far longer than it computes: with 8 of them under way one neuron of 102 M values comes in half
# the time that 2 take, at 20 ms a request.
THREADS = 8
# No extension may be looked for anywhere, and no secret kept on disk or taken from the surroundings.
CONFIGURATION: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}
# An object is never changed, so what was read of it stays true for as long as the lake is open.
_CACHES = ("parquet_metadata_cache = true", "validate_external_file_cache = 'NO_VALIDATION'")

# What httpfs takes from the surroundings when it is loaded, and `duckdb_settings()` would show.
_TAKEN = ("s3_access_key_id", "s3_secret_access_key", "s3_session_token")


@dataclass(frozen=True)
class Engine:
    """A way to reach remote objects."""

    name: str  # httpfs or fsspec
    why: str  # in one line


def describe_engine(environment: Mapping[str, str] = os.environ) -> str:
    """What DuckDB would read S3 with on this machine, and why. Raises UsageError as `choose_engine` does."""
    with duckdb.connect(":memory:", config=CONFIGURATION) as connection:
        return choose_engine(connection, environment).why


def choose_engine(connection: duckdb.DuckDBPyConnection, environment: Mapping[str, str] = os.environ) -> Engine:
    """The way to take to S3; httpfs is then loaded.

    Raises:
        UsageError: the setting is none of the three, or asks for an httpfs that cannot be loaded.
    """
    asked = environment.get(SETTING) or "auto"
    if asked not in WAYS:
        raise UsageError(f"{SETTING} is {asked!r}: {', '.join(WAYS)}")
    if asked == "httpfs":
        return Engine("httpfs", f"httpfs {duckdb.__version__} {_load(connection)}, as {SETTING} asks")
    why = f"as {SETTING} asks" if asked == "fsspec" else "which caches footers on disk (decision 13)"
    return Engine("fsspec", f"fsspec {version('fsspec')}, {why}")


def attach(connection: duckdb.DuckDBPyConnection, folder: Folder, objects: ListedObjects) -> str:
    """Let a connection read a remote folder; the name of the way that was taken.

    Raises UsageError as `choose_engine` does.
    """
    execute = connection.execute
    execute("set global allow_persistent_secrets = false")
    execute(f"set global threads = {max(THREADS, os.cpu_count() or 1)}")
    for setting in _CACHES:
        execute(f"set global {setting}")

    engine = choose_engine(connection) if folder.s3 else Engine("fsspec", "not S3")
    if engine.name == "httpfs" and folder.s3:
        for name in _TAKEN:
            execute(f"set global {name} = ''")
        execute("set global enable_http_metadata_cache = true")
        execute("set global httpfs_connection_caching = true")
        execute("set global s3_url_compatibility_mode = true")  # a name is a name: no pattern, no query
        execute(_secret(folder.s3.connection(), folder.address("")))
    else:
        connection.register_filesystem(objects)

    return engine.name


def _load(connection: duckdb.DuckDBPyConnection) -> str:
    """Load httpfs; where it came from."""
    own = duckdb.__version__
    wheel = importlib.util.find_spec("duckdb_extension_httpfs")
    places = wheel.submodule_search_locations if wheel else None
    for place in places or ():
        file = Path(place, "extensions", f"v{own}", "httpfs.duckdb_extension")
        if file.exists():
            connection.execute(f"load {quoted(str(file))}")
            return "from the wheel duckdb-extension-httpfs"

    try:
        connection.execute("load httpfs")
    except duckdb.Error:
        raise UsageError(
            f"{SETTING} is httpfs, and DuckDB {own} has none: type `pip install "
            f"duckdb-extension-httpfs=={own}` if there is one, or leave {SETTING} out"
        ) from None
    return "as installed in DuckDB"


def _secret(given: S3Connection, scope: str) -> str:
    """The statement that tells httpfs, in memory alone, how this lake and nothing else is reached."""
    parts = {"scope": quoted(scope), "url_style": quoted("path" if given.path_style else "vhost")}
    if given.endpoint:
        where = urlsplit(given.endpoint)
        parts["endpoint"] = quoted(where.netloc + where.path.rstrip("/"))
        parts["use_ssl"] = str(where.scheme == "https").lower()

    access = {"region": given.region, "key_id": given.key, "secret": given.secret, "session_token": given.token}
    parts |= {name: quoted(value) for name, value in access.items() if value}
    return f"create secret lake (type s3, {', '.join(f'{name} {value}' for name, value in parts.items())})"
