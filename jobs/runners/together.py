"""One call on many workers at once: Ray Train starts a process for each, and torch's process group joins them.

Ray keeps nothing of what they do: their state lies in the lake, like everything else. A worker that is lost ends
the group; the driver makes the call again, as it does any other, with as many workers as there are then.
"""

import tempfile
from collections.abc import Callable
from typing import Any

from ray import train
from ray.train import RunConfig, ScalingConfig, TrainingFailedError
from ray.train.torch import TorchConfig, TorchTrainer
from torch.distributed import DistError

from jobs.process.secrets import hide_secrets_in_logs
from jobs.run.placement import Placement
from jobs.runners.base import Argument, WorkerLost
from pipeline.training.share import Share

PATIENCE = 300  # seconds that a worker waits for the others before it gives them up as lost


def call_together(
    function: Callable[[Argument, Share, Callable[[], bool]], object], argument: Argument, placement: Placement
) -> None:
    """Call a function on an argument in every worker of a group, and wait for them all.

    Args:
        function: also given which of the workers it is, and whether a machine is about to go, which all of them
            must ask equally often.
        argument: the same for all.
        placement: how many workers, and their GPUs.

    Raises WorkerLost when a worker has gone, and whatever a worker has raised.
    """
    assert placement.together is not None
    least, most = placement.together
    workers: Any = least if least == most else (least, most)

    with tempfile.TemporaryDirectory() as folder:  # where Ray Train notes how the group is
        trainer = TorchTrainer(
            _work,
            train_loop_config={"function": function, "argument": argument},
            scaling_config=ScalingConfig(
                num_workers=workers,
                use_gpu=bool(placement.gpus),
                resources_per_worker={"CPU": 1.0, **({"GPU": placement.gpus} if placement.gpus else {})},
                # To grow, a group begins anew from the last state: looked for no more often than one is kept.
                elastic_resize_monitor_interval_s=60 * placement.save_minutes,  # type: ignore[call-arg]  # of Train v2
            ),
            torch_config=TorchConfig(backend="nccl" if placement.gpus else "gloo", timeout_s=PATIENCE),
            run_config=RunConfig(storage_path=folder),
        )

        try:
            trainer.fit()
        except TrainingFailedError as error:
            raise _cause(error) from error


def _work(config: dict[str, Any]) -> None:
    hide_secrets_in_logs()
    context = train.get_context()
    share = Share(context.get_world_rank(), context.get_world_size())
    config["function"](config["argument"], share, lambda: train.get_preemption_info() is not None)


def _cause(error: TrainingFailedError) -> Exception:
    """What a worker raised, unless another has gone: then what is raised is a consequence."""
    failures: list[Exception] = list(getattr(error, "worker_failures", {}).values())
    own = [failure for failure in failures if not _is_loss(failure)]
    return own[0] if own else WorkerLost(str(failures[0] if failures else error).splitlines()[0])


def _is_loss(failure: Exception) -> bool:
    """Whether Ray has lost a worker, or torch its connection to one; gloo raises a plain RuntimeError."""
    lost = type(failure).__module__.startswith("ray.") or isinstance(failure, DistError)
    return lost or (isinstance(failure, RuntimeError) and "gloo" in str(failure))
