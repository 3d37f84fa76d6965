"""What every scenario works with: a small experiment, its undisturbed run, a store, drivers; and the judgement.

with open_bench(folder) as bench:
    root = bench.new_root()
    bench.run(root, hooks={"kill_at": [root, 40]})
    bench.resume(root)      # the same command again, as a user would type it
    bench.judge(root)       # the bytes of the undisturbed run, and nothing else
"""

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from pipeline.storage.folder import Folder
from pipeline.storage.manifests import read_manifest, read_run
from schemas.fingerprint import blake3_of
from schemas.manifest import StoredObject
from schemas.stages import STAGES, TABLES_OF, expected_units
from tests.conftest import digests, tiny_run
from tests.faults.forks import Driver, Ended, Forks
from tests.jobs.toml_of import write_toml
from tests.s3 import BUCKET, KEYS, localbucket_server, s3_environment

# Two layers and two checkpoints, so that every table has several shards; a run takes a second.
SMALL: dict[str, Mapping[str, object]] = {
    "model": {"cell": ["lstm"], "layers": [2], "hidden_size": [4]},
    "dump": {"checkpoints": "all", "sequences_per_shard": 20},
    "score": {"hypotheses": ["count_a", "remaining_b"], "headline": ["count_a"]},
}
TEMPORARY = "_meta/tmp/"
PICTURE = "/answer.png"  # in the run's folder
# Seconds that a client waits for S3, so that a store that says nothing is found out soon.
CLIENT_SECONDS = 2.0
Shared = TypeVar("Shared")


@dataclass(frozen=True)
class Undisturbed:
    """What a run leaves when nothing happens to it."""

    root: str
    run: str
    digests: Mapping[str, str]
    objects: Sequence[str]
    changes: Sequence[str]  # the paths that it changed, in order

    def window(self, stage: str) -> tuple[int, int]:
        """The first and the last change, counted from 1, between a stage's first plan and its last manifest."""
        part = f"/{stage}/"
        ours = [number for number, path in enumerate(self.changes, 1) if part in path]
        return ours[0], ours[-1]

    def moment(self, random: Random, stage: str) -> int:
        """A change at random while a stage is worked."""
        return random.randint(*self.window(stage))

    def written_by(self, stage: str) -> list[StoredObject]:
        """What a stage's manifests list."""
        folder = Folder(self.root)
        units = expected_units(stage, read_run(folder, self.run))
        manifests = [read_manifest(folder, self.run, stage, unit) for unit in units]
        return [stored for manifest in manifests if manifest for stored in manifest.objects]


@dataclass
class Bench:
    """The tools of a scenario."""

    folder: Path
    toml: Path
    forks: Forks
    store: str  # endpoint of an S3 server
    stack: ExitStack  # left when the bench is taken down
    longest_pause: (
        float | None
    )  # seconds that drivers wait before they try again; None: as long as they do for users
    _shared: dict[Callable[[], AbstractContextManager[Any]], Any] = field(default_factory=dict)
    _undisturbed: list[Undisturbed] = field(default_factory=list)

    @property
    def undisturbed(self) -> Undisturbed:
        """The run to compare with, made when it is first asked for."""
        if not self._undisturbed:
            self._undisturbed.append(self._run_undisturbed())
        return self._undisturbed[0]

    def shared(self, make: Callable[[], AbstractContextManager[Shared]]) -> Shared:
        """What several scenarios use: made when it is first asked for, taken down with the bench."""
        if make not in self._shared:
            self._shared[make] = self.stack.enter_context(make())
        found: Shared = self._shared[make]
        return found

    def has(self, part: str) -> bool:
        """Whether the undisturbed run has an object with this in its path."""
        return any(part in f"/{path}" for path in self.undisturbed.objects)

    def new_root(self) -> str:
        """A local lake's root."""
        return str(self.folder / f"lake-{uuid.uuid4().hex[:8]}")

    def new_s3_root(self) -> str:
        """A root on the store."""
        return f"s3://{BUCKET}/lake-{uuid.uuid4().hex[:8]}"

    def arguments(self, root: str, *more: str) -> list[str]:
        """What a user types; without Ray unless asked for."""
        runner = () if "--workers" in more else ("--runner", "local")
        return ["run", str(self.toml), "--root", root, *runner, *more]

    def start(
        self,
        root: str,
        *more: str,
        hooks: Mapping[str, Sequence[object]] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Driver:
        """Start the run."""
        pauses = {} if self.longest_pause is None else {"shorten_pauses": [self.longest_pause]}
        return self.forks.start(self.arguments(root, *more), {**pauses, **(hooks or {})}, environment)

    def run(
        self,
        root: str,
        *more: str,
        hooks: Mapping[str, Sequence[object]] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Ended:
        """Run to its end, whatever that is; it never shows a traceback."""
        ended = self.forks.wait(self.start(root, *more, hooks=hooks, environment=environment))
        check_told(ended)
        return ended

    def resume(self, root: str, *more: str, environment: Mapping[str, str] | None = None) -> Ended:
        """The same command again, which ends well."""
        ended = self.run(root, *more, environment=environment)
        assert ended.code == 0, ended
        return ended

    def judge(self, root: str, *, was_killed: bool = False) -> None:
        """A complete lake holds the undisturbed run's objects, those and no others, with the bytes it lists.

        What was killed -9 may leave a temporary file.
        """
        folder, expected = Folder(root), self.undisturbed
        there = [path for path in _objects(folder) if not (was_killed and path.startswith(TEMPORARY))]
        assert there == expected.objects, sorted(set(there) ^ set(expected.objects))
        assert digests(root) == expected.digests
        for stage in STAGES:
            for unit in expected_units(stage, read_run(folder, expected.run)):
                manifest = read_manifest(folder, expected.run, stage, unit)
                assert manifest
                for stored in manifest.objects:
                    assert blake3_of(folder.read(stored.path)) == stored.blake3, stored.path

    def _run_undisturbed(self) -> Undisturbed:
        root, log = self.new_root(), self.folder / "changes.txt"
        ended = self.run(root, hooks={"record": [root, str(log)]})
        assert ended.code == 0, ended
        (run,) = {path.split("run=", 2)[1].split("/")[0] for path in Folder(root).list() if "run=" in path}
        objects = _objects(Folder(root))
        return Undisturbed(root, run, digests(root), objects, log.read_text().splitlines())


def _objects(folder: Folder) -> list[str]:
    """The paths of all that a lake holds but the picture of the answer, which a driver draws last."""
    return [path for path in folder.list() if not path.endswith(PICTURE)]


def check_told(ended: Ended) -> None:
    """What a driver tells is for people: never a traceback, never a bug."""
    assert "Traceback" not in ended.told, ended.told
    assert "a bug:" not in ended.told, ended.told


def stage_of_any(path: str) -> str:
    """The stage that writes an object, or a document of `_meta`; the first stage for those of the whole run."""
    for stage in STAGES:
        if f"/{stage}/" in path or path.split("/", 1)[0] in TABLES_OF[stage]:
            return stage
    return STAGES[0]


def s3_variables(endpoint: str) -> dict[str, str]:
    """What a driver's environment says of the store."""
    return {**KEYS, "AWS_ENDPOINT_URL": endpoint, "UNROLLED_S3_TIMEOUT": str(CLIENT_SECONDS)}


@contextmanager
def open_bench(folder: Path, longest_pause: float | None = None) -> Iterator[Bench]:
    """Set the bench up in a folder; take it down afterwards."""
    toml = write_toml(folder / "tiny.toml", tiny_run(folder / "nothing", **SMALL).experiment)
    with ExitStack() as stack:
        store = stack.enter_context(localbucket_server(folder))
        stack.enter_context(s3_environment(store))
        forks = stack.enter_context(Forks(folder / "told"))
        yield Bench(folder, toml, forks, store, stack, longest_pause)
