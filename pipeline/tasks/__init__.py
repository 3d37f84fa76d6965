"""Sources of sequences. To add one: its settings in schemas, its file here, its line in TASKS."""

from collections.abc import Callable

from pipeline.tasks.copying import Copying
from pipeline.tasks.counting import Counting
from pipeline.tasks.selective_counting import SelectiveCounting
from pipeline.tasks.state_memory import StateMemory
from pipeline.tasks.synthetic_tweets import SyntheticTweets
from pipeline.tasks.task import Task
from schemas.errors import UsageError
from schemas.task_settings import TaskSettings, TextSettings, TokensSettings

TASKS: dict[str, Callable[..., Task]] = {
    "counting": Counting,
    "selective_counting": SelectiveCounting,
    "state_memory": StateMemory,
    "copying": Copying,
    "synthetic_tweets": SyntheticTweets,
}


def make_task(settings: TaskSettings) -> Task:
    """The task of some settings. Raises UsageError for one whose sequences are given or read, not made."""
    if isinstance(settings, TextSettings):
        raise UsageError("the task text is read from files, not made: see pipeline/corpus")
    if isinstance(settings, TokensSettings):
        raise UsageError("the task tokens is given in Python: unrolled.dump_module(module, batches, …)")
    return TASKS[settings.name](settings)
