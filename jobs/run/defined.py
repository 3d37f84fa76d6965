"""Hypotheses by name: the shipped ones, and those that an experiment defines."""

from jobs.run.context import Run
from pipeline.annotation.defined import defined_hypothesis, definition_digest, try_definition
from pipeline.annotation.hypotheses import HYPOTHESES, Hypothesis, find_hypothesis, is_shipped, unknown_hypothesis
from pipeline.queries.expression import check_expression
from schemas.errors import UsageError, unknown
from schemas.experiment import Experiment
from schemas.languages import LANGUAGES
from schemas.score_settings import Kind


def check_hypotheses(experiment: Experiment) -> None:
    """Raise UsageError for an unknown hypothesis, a headline not scored, or a definition that cannot work."""
    for definition in experiment.score.define:
        if is_shipped(definition.name):
            raise UsageError(f"score.define: {definition.name} is a hypothesis that there is: take another name")
        if definition.sql:
            check_expression(definition)
        else:
            try_definition(definition)
    own = {definition.name for definition in experiment.score.define}
    for name in experiment.score.hypotheses:
        if name not in own and not is_shipped(name):
            raise unknown_hypothesis(name, {*HYPOTHESES, *own})
    for name in experiment.score.headline:  # after those, for a typo in one of them is no fault of the headline
        if name not in experiment.score.hypotheses:
            raise unknown("score.headline", name, experiment.score.hypotheses)


def is_yes_no(experiment: Experiment, name: str) -> bool:
    """Whether a hypothesis answers yes or no, and can be scored by AUC too."""
    return kind_of(experiment, name) == "yes_no"


def kind_of(experiment: Experiment, name: str) -> Kind | None:
    """What a hypothesis gives; None of one's own that does not say, whose annotations alone tell."""
    definition = experiment.score.definition(name)
    if definition:
        return "yes_no" if definition.yes_no else None
    return find_hypothesis(name).kind


def hypothesis_of(experiment: Experiment, name: str) -> Hypothesis:
    """A hypothesis that is a function of the text."""
    definition = experiment.score.definition(name)
    return defined_hypothesis(definition) if definition else find_hypothesis(name)


def hypothesis_settings(experiment: Experiment, name: str) -> dict[str, object]:
    """What decides a hypothesis' values besides the text."""
    definition = experiment.score.definition(name)
    if definition:
        return {"definition": definition_digest(definition)}
    hypothesis = find_hypothesis(name)
    language = {"language": experiment.score.language} if hypothesis.reads_code else {}
    edition = {"edition": hypothesis.edition} if hypothesis.edition > 1 else {}
    return {**language, **edition}


def check_language(run: Run) -> list[str]:
    """What a person should know of the languages that hypotheses about code will read.

    Raises UsageError where nothing tells the language of any text, or it is one that is not read here.
    """
    score = run.experiment.score
    reading = [
        name for name in score.hypotheses if not score.definition(name) and find_hypothesis(name).reads_code
    ]
    if score.language != "auto" or not reading:
        return []

    unread = ", ".join(run.source.unread_languages())
    if run.source.knows_its_language():
        return [f"plain text to hypotheses: {unread}; {reading[0]} takes all of it for code"] if unread else []
    if unread:
        raise UsageError(
            f"{reading[0]} reads code, and cannot tell the strings and comments of {unread}: leave it out, or set "
            'score.language to "plain" to take all of it for code'
        )
    raise UsageError(
        f"{reading[0]} reads code, and the files' names do not tell the language: set score.language to one of "
        f"{', '.join(LANGUAGES)}"
    )
