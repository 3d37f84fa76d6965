"""Pieces as Ray tasks. Plans of a few hundred bytes go through Ray; data goes through the lake.

RAY_ADDRESS names a cluster (a submitted job has it set); without one, a Ray of this machine's cores is started on
the loopback address and stopped at the end.
"""

import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from copy import copy
from types import TracebackType
from typing import Any, Self

import ray
from ray.exceptions import (
    NodeDiedError,
    ObjectLostError,
    OutOfMemoryError,
    RayActorError,
    RayError,
    RayTaskError,
    TaskCancelledError,
    WorkerCrashedError,
)

from jobs.process.cores import share_cores
from jobs.process.interruption import adopt_orphans
from jobs.process.memory import keep_freed_memory
from jobs.process.secrets import hide_secrets_in_logs
from jobs.runners.base import Argument, Needs, OutOfMemory, Ticket, WorkerLost
from jobs.runners.sockets import check_socket_room
from schemas.errors import UsageError
from schemas.redact import is_secret_name

# Tasks under way for each core: one runs while the next waits at its worker.
WINDOW = 2


def _call(function: Callable[[Any], None], argument: Any, at_once: int) -> None:
    keep_freed_memory()
    share_cores(at_once)
    hide_secrets_in_logs()
    function(argument)


# Ray tries nothing again by itself: it would not count with us, and it tries forever when memory runs out.
_task = ray.remote(max_retries=0)(_call)


class RayRunner:
    """Starts or joins a Ray; `workers` limits the cores of one that it starts."""

    def __init__(self, workers: int | None = None) -> None:
        self._workers = workers
        self._function: object = None  # the last that was handed over, and Ray's copy of it
        self._shared: Any = None
        self._at_once = 1
        self._needs = Needs()

    def __enter__(self) -> Self:
        """Nothing yet: Ray takes seconds to start, and a run may have nothing left to do."""
        self._function = None
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop a Ray that was started, leave one that was joined."""
        ray.shutdown()

    def needing(self, needs: Needs) -> "RayRunner":
        """The same Ray, for tasks that need so much."""
        twin = copy(self)
        twin._needs = needs  # noqa: SLF001  # it is one of us
        return twin

    @property
    def slots(self) -> int:
        """The cores of the cluster, which may grow and shrink; fewer where tasks may not run at the same time."""
        if not ray.is_initialized():
            self._start()
        resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        cores = max(1, int(resources.get("CPU", 1)))
        return min(cores, self._needs.at_once or cores)

    @property
    def window(self) -> int:
        """Tasks under way: one runs on each core while the next waits at its worker."""
        return self._needs.at_once or self.slots * WINDOW

    def submit(self, function: Callable[[Argument], None], argument: Argument) -> Ticket:
        """Hand a task over."""
        if function is not self._function:
            self._check_room()
            self._function, self._shared = function, ray.put(function)
            self._at_once = _at_once(self._needs)
        task = _task.options(num_cpus=self._needs.cpus, num_gpus=self._needs.gpus, memory=self._memory())
        ticket: Ticket = task.remote(self._shared, argument, self._at_once)
        return ticket

    def wait(self, tickets: Sequence[Ticket], seconds: float) -> Sequence[tuple[Ticket, Exception | None]]:
        """The tasks that have ended."""
        ended, _ = ray.wait(list(tickets), num_returns=1, timeout=seconds)
        if ended:  # and whatever else has
            ended, _ = ray.wait(list(tickets), num_returns=len(tickets), timeout=0)
        return [(ticket, _failure(ticket)) for ticket in ended]

    def cancel(self, ticket: Ticket) -> None:
        """End a task with its worker's process; Ray starts another."""
        ray.cancel(ticket, force=True)

    def _memory(self) -> float | None:
        """What a call sets aside of a machine; more than any has is all of one, or it would never begin."""
        if not self._needs.memory:
            return None
        nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
        return min(self._needs.memory, max(float(node["Resources"].get("memory", 0.0)) for node in nodes))

    def _check_room(self) -> None:
        """Raise UsageError when our own Ray can never give what is needed; tell it of one that may yet grow."""
        needed = self._needs.calls or {"CPU": self._needs.cpus, "GPU": self._needs.gpus}
        there: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        if all(there.get(name, 0.0) >= count for name, count in needed.items()):
            return
        wanted, found = (
            f"{found.get('CPU', 0.0):g} cores and {found.get('GPU', 0.0):g} GPUs" for found in (needed, there)
        )
        if not os.environ.get("RAY_ADDRESS"):
            raise UsageError(
                f"training asks for {wanted}, and Ray has {found} here: lower --data-parallel or "
                "--gpus-per-worker, raise --workers, or set RAY_ADDRESS to a cluster"
            )
        print(f"waiting: this stage asks for {wanted}, and the cluster has {found} by now", file=sys.stderr)

    def _start(self) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing phones home
        # 0: Ray leaves CUDA_VISIBLE_DEVICES as it is; without this it warns that it will.
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        os.environ.setdefault("RAY_IGNORE_UNHANDLED_ERRORS", "1")  # a failed piece is told once, by us
        ours = signal.getsignal(signal.SIGTERM)
        try:
            self._init(os.environ.get("RAY_ADDRESS"))
        except (ConnectionError, RuntimeError, TimeoutError) as error:
            raise UsageError(
                f"Ray does not answer (RAY_ADDRESS is {os.environ.get('RAY_ADDRESS')}): {error}"
            ) from None
        finally:
            signal.signal(signal.SIGTERM, ours)  # Ray puts its own in place, which ends in a stack trace
        _warn_of_secrets()

    def _init(self, address: str | None) -> None:
        if address:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
            return
        check_socket_room()
        # Ray would write a token into the home folder, which changes every later `ray start` there.
        os.environ.setdefault("RAY_AUTH_MODE", "disabled")
        adopt_orphans()  # a raylet that is killed leaves its agents
        ray.init(
            address="local",
            num_cpus=self._workers,
            include_dashboard=False,
            log_to_driver=False,
            logging_level=logging.ERROR,
            _node_ip_address="127.0.0.1",
        )


def _at_once(needs: Needs) -> int:
    """How many calls the largest machine of the cluster makes at the same time."""
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    wanted = {"CPU": needs.cpus, "GPU": needs.gpus}
    return max(
        int(min((node["Resources"].get(name, 0.0) // count for name, count in wanted.items() if count), default=1))
        for node in nodes
    )


def _warn_of_secrets() -> None:
    """Say in one line which variables of the job's runtime environment Ray's dashboard shows to all."""
    variables = ray.get_runtime_context().runtime_env.get("env_vars") or {}
    if shown := sorted(name for name in variables if is_secret_name(name)):
        print(
            f"warning: {', '.join(shown)} of the job's runtime environment can be read by all on Ray's dashboard: "
            "set it on the machines, or give them a role",
            file=sys.stderr,
        )


def _failure(reference: Any) -> Exception | None:
    try:
        ray.get(reference)
    except RayTaskError as error:
        return error.cause if isinstance(error.cause, Exception) else error
    except OutOfMemoryError as error:
        return OutOfMemory(_first_line(error))
    except (RayActorError, WorkerCrashedError, NodeDiedError, ObjectLostError, TaskCancelledError) as error:
        return WorkerLost(_first_line(error))
    except RayError as error:
        return error
    return None


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
