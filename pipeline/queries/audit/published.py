"""What a run has published, and which files beside that are none of its own."""

import re
from collections.abc import Iterator
from itertools import chain

from pipeline.queries.catalog import Catalog
from pipeline.storage.folder import Folder
from pipeline.storage.manifests import MANIFEST, NUMBERED, PLAN, REMOVED, RUN, run_folder
from pipeline.storage.naming import is_data
from schemas.stages import STAGES, TABLES_OF

_META = re.compile(
    rf"(?:.*/)?(?:{RUN}|{PLAN}|{MANIFEST}|{REMOVED}|(?:training|answer|pictures/[^/]+)\.png|records/{NUMBERED.pattern}"
    rf"|lease/(?:{NUMBERED.pattern}|[^/.]+\.beat)|resume/[^/.][^/]*)"
)


def unpublished(catalog: Catalog, run: str) -> Iterator[tuple[str, list[str], int]]:
    """For each stage that a run has begun: the units that it lacks, and how many it is to have."""
    for stage in STAGES:
        done, wanted = catalog.units(run, stage)
        if done or any(name == stage for name, _ in catalog.begun[run]):
            yield stage, sorted(wanted - done), len(wanted)


def foreign_files(folder: Folder, catalog: Catalog, run: str) -> list[str]:
    """The files in a run's folders that are not named as its own are; nothing reads them."""
    meta = run_folder(run)
    found = [path for path in folder.list(f"{meta}/") if not _META.fullmatch(path.removeprefix(f"{meta}/"))]
    listed = {stored.path for manifest in catalog.manifests[run] for stored in manifest.objects}
    for table in chain(*TABLES_OF.values()):
        below = folder.list(f"{table}/run={run}/")
        found += [path for path in below if path not in listed and not is_data(path)]
    return found
