"""The root: credentials when it is S3, then a small object written, read, refused a second time and removed."""

import socket
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from jobs.doctor.finding import Finding, examine, ok, within
from pipeline.storage.folder import Folder
from pipeline.storage.manifests import LAKE, check_format
from pipeline.storage.probe import Probe, probe
from pipeline.storage.s3 import S3Store
from schemas.errors import NotReadyError

# A request is given up after so long, and no further step of the probe is begun after so long: with a write that
# nobody answers, a look whether it was ours, and the removal, the check ends within LIMIT.
REQUEST_SECONDS, PROBE_SECONDS, LIMIT = 2.0, 3.0, 9.0
CREDENTIALS_LIMIT = 3.0  # the role of a machine is asked for over its own network
NAME_LIMIT = 2.0

ANOTHER = "choose another --root"
NO_CREDENTIALS = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or run where a role gives them"


def root(address: str) -> list[Finding]:
    """All of it. Raises UsageError when the address is none that can hold a lake."""
    folder = Folder(address, seconds=REQUEST_SECONDS)
    findings: list[Finding] = []
    if store := folder.s3:
        findings = examine("credentials", lambda: credentials(store), NO_CREDENTIALS, CREDENTIALS_LIMIT)
    if any(finding.state == "fail" for finding in findings):
        return findings  # without them there is nothing to try
    return findings + examine("root", lambda: lake(folder), ANOTHER, LIMIT)


def credentials(store: S3Store) -> list[Finding]:
    """Where the credentials were found, and nothing more of them."""
    place = store.credentials_place()
    if place is None:
        raise NotReadyError(f"none found; {NO_CREDENTIALS}")
    return [ok("credentials", f"found in {place}")]


def lake(folder: Folder) -> list[Finding]:
    """Whether a lake can rest in a folder, and whether one does."""
    where = folder.root
    if folder.s3:
        where += f" at {_resolved(folder.s3)}"
    probed = probe(folder, PROBE_SECONDS)
    data = folder.read_if_there(LAKE)
    if data is not None:
        check_format(folder, data)
    holds = "holds no lake yet" if data is None else "holds a lake"
    return [
        ok("root", f"{where} {holds}; {_milliseconds(probed)}"),
        ok("create-only", f"a name that is taken was refused in {probed.refused:.1f} ms: shards and leases hold"),
    ]


def _milliseconds(probed: Probe) -> str:
    steps = {"written": probed.written, "read": probed.read, "removed": probed.removed}
    return ", ".join(f"{step} in {milliseconds:.1f} ms" for step, milliseconds in steps.items())


def _resolved(store: S3Store) -> str:
    """The store's address. Raises NotReadyError when its name is not known, or nobody says whether it is.

    Looked up here, because a look-up that hangs inside the client could not be left behind.
    """
    endpoint = store.endpoint()
    where = urlsplit(endpoint)
    host = where.hostname or ""
    if where.scheme in getproxies() and not proxy_bypass(host):
        return endpoint  # the proxy looks it up
    try:
        within(NAME_LIMIT, lambda: socket.getaddrinfo(host, None))
    except (socket.gaierror, TimeoutError) as error:
        why = error.strerror if isinstance(error, socket.gaierror) else f"no answer within {NAME_LIMIT:g} s"
        raise NotReadyError(
            f"the name {host} is not found ({why}); set AWS_REGION or UNROLLED_S3_ENDPOINT to what is there"
        ) from None
    return endpoint
