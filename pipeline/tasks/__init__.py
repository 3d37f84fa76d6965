"""Sources of sequences. To add one: its settings in schemas, its file here, its line in TASKS."""

from collections.abc import Callable, Sequence

from pipeline.tasks.copying import Copying
from pipeline.tasks.counting import Counting
from pipeline.tasks.selective_counting import SelectiveCounting
from pipeline.tasks.state_memory import StateMemory
from pipeline.tasks.task import Task
from pipeline.tasks.text import Text
from schemas.corpus import Document
from schemas.errors import UsageError
from schemas.task_settings import TaskSettings, TextSettings, TokensSettings

TASKS: dict[str, Callable[..., Task]] = {
    "counting": Counting,
    "selective_counting": SelectiveCounting,
    "state_memory": StateMemory,
    "copying": Copying,
    "text": Text,
}


def make_task(settings: TaskSettings, documents: Sequence[Document] = ()) -> Task:
    """The task of some settings; `documents` are the files that a text task reads."""
    if isinstance(settings, TextSettings):
        return Text(settings, documents)
    if isinstance(settings, TokensSettings):
        raise UsageError("the task tokens is given in Python: jobs.dump_module.dump_module(module, batches, …)")
    return TASKS[settings.name](settings)
