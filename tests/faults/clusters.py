"""kill -9 on Ray: of a worker, of a node, of a driver that has a Ray of its own."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

from ray._private.node import Node
from ray.cluster_utils import Cluster

from pipeline.storage.folder import Folder
from tests.faults.bench import Bench, check_told
from tests.faults.forks import Driver

KILLED = -9
LOOPBACK = "127.0.0.2"  # Ray takes 127.0.0.1 for this machine's outward address, which nothing here listens on
KILLS = 3  # in a scenario


def worker(bench: Bench, seed: int) -> int:
    """A worker that is at a piece is killed, several times in a run."""
    with ray_nodes(bench.shared(ray_cluster), 1, cores=2) as (cluster, nodes):
        return _disturbed(bench, seed, cluster, lambda _: _kill_worker(nodes[0]))


def node(bench: Bench, seed: int) -> int:
    """A node goes with all that runs on it, as a spot machine does; another comes."""
    with ray_nodes(bench.shared(ray_cluster), 2, cores=1) as (cluster, nodes):

        def kill(_driver: Driver) -> bool:
            cluster.remove_node(nodes.pop(0), allow_graceful=False)
            nodes.append(add_node(cluster, 1))
            return True

        return _disturbed(bench, seed, cluster, kill)


def driver(bench: Bench, seed: int) -> int:
    """A driver with its own Ray is killed; the next works at once, while workers of the first may still end."""
    root, kills = bench.new_root(), 0
    for moment in _moments(bench, seed)[:2]:
        started = bench.start(root, "--workers", "2")
        _wait_for(root, moment, started)
        if started.runs():
            started.kill()
        ended = bench.forks.wait(started)
        check_told(ended)
        kills += ended.code == KILLED
    bench.resume(root, *(("--workers", "2") if seed % 2 else ()))
    bench.judge(root, was_killed=True)
    return kills


def _disturbed(bench: Bench, seed: int, cluster: Cluster, strike: Callable[[Driver], bool]) -> int:
    """A run on a cluster, struck when the lake holds certain numbers of objects."""
    root, strikes = bench.new_root(), 0
    started = bench.start(root, "--workers", "2", environment={"RAY_ADDRESS": cluster.address})
    for moment in _moments(bench, seed):
        _wait_for(root, moment, started)
        strikes += started.runs() and strike(started)
    ended = bench.forks.wait(started)
    check_told(ended)
    if ended.code != 0:
        bench.resume(root, "--workers", "2", environment={"RAY_ADDRESS": cluster.address})
    bench.judge(root, was_killed=True)
    return strikes


def _moments(bench: Bench, seed: int) -> list[int]:
    """Numbers of objects, all in the first part of a run, so that the last blow also meets it."""
    return sorted(Random(seed).sample(range(3, len(bench.undisturbed.objects) * 3 // 4), KILLS))


def _wait_for(root: str, objects: int, started: Driver, seconds: float = 60) -> None:
    folder, end = Folder(root), time.monotonic() + seconds
    while started.runs() and len(folder.list()) < objects:
        assert time.monotonic() < end, f"never {objects} objects"
        time.sleep(0.002)


def _kill_worker(node: Node, seconds: float = 5) -> bool:
    """Kill a worker of a node that is at a piece, if one is within some seconds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for pid in workers(node, "ray::_call"):
            os.kill(pid, signal.SIGKILL)
            return True
        time.sleep(0.002)
    return False


def workers(node: Node, title: str) -> Iterator[int]:
    """The processes of a node's workers whose title, which tells what they do, begins so."""
    raylet = node.all_processes["raylet"][0].process.pid
    return (pid for pid in _children(raylet) if _title(pid).startswith(title))


def _children(pid: int) -> list[int]:
    return [
        int(child) for task in Path(f"/proc/{pid}/task").glob("*/children") for child in task.read_text().split()
    ]


def _title(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode()
    except OSError:  # it has just ended
        return ""


@contextmanager
def ray_cluster() -> Iterator[Cluster]:
    """A head that works nothing."""
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "node_ip_address": LOOPBACK})
    try:
        yield cluster
    finally:
        cluster.shutdown()  # type: ignore[no-untyped-call]


@contextmanager
def ray_nodes(cluster: Cluster, count: int, cores: int) -> Iterator[tuple[Cluster, list[Node]]]:
    """Nodes that do work for a while; those that are in the list at the end are taken away."""
    nodes = [add_node(cluster, cores) for _ in range(count)]
    try:
        yield cluster, nodes
    finally:
        for node in nodes:
            cluster.remove_node(node, allow_graceful=False)


def add_node(cluster: Cluster, cores: int) -> Node:
    """A machine more."""
    node: Node = cluster.add_node(num_cpus=cores, node_ip_address=LOOPBACK)
    return node
