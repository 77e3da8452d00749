"""Wordings for a new question, to start from: five, with all placeholders that its task fills in."""

import yaml

from emollms.tasks import OrdinalTask, RegressionTask, Task

_SCORES = (
    "Rate the {asked} of the text on a scale from 0 ({{low}}) to 1 ({{high}}).",
    "On a scale where 0 ({{low}}) and 1 ({{high}}) are the ends, give the {asked} that the text expresses.",
    "Read the text and state its {asked} as one decimal number, 0 ({{low}}) to 1 ({{high}}).",
    "What score between 0 ({{low}}) and 1 ({{high}}) fits the {asked} of this text?",
    "Judge how the text comes across: put its {asked} between 0 ({{low}}) and 1 ({{high}}).",
)
_CLASSES = (
    "Put the text into one of these classes{asked}. {{classes}}",
    "Which one of the following fits the text best{asked}? {{classes}}",
    "Read the text, and choose the one class that describes it{asked}. {{classes}}",
    "Decide on a single class for this text{asked}. {{classes}}",
    "Of the classes below, name the one that the text belongs to{asked}. {{classes}}",
)
_LABELS = (
    "Which of these does the text express: {{labels}}? Name all that apply{nothing}.",
    "List everything from this selection that you find in the text: {{labels}}{nothing}.",
    "Read the text and write down, separated by commas, which of {{labels}} it shows{nothing}.",
    "The choices are {{labels}}. Give each one that the text conveys{nothing}.",
    "Mark the text with all that fit it, out of {{labels}}{nothing}.",
)
_NOTHING = (
    ", or answer '{{nothing}}'", ", and where there is nothing, answer '{{nothing}}'", ", or else '{{nothing}}'",
    ", or '{{nothing}}' where none does", ", and use '{{nothing}}' where none fits",
)  # fmt: skip


def wordings_text(task: Task) -> str:
    """The file of wordings of a task, in YAML."""
    if isinstance(task, RegressionTask):
        drafts = [one.format(asked="{emotion}" if task.emotions else "score") for one in _SCORES]
    elif isinstance(task, OrdinalTask):
        asked = ", as regards {emotion}" if task.emotions and not task.names_emotion else ""
        drafts = [one.format(asked=asked) for one in _CLASSES]
    else:
        nothing = [one.format() if getattr(task, "nothing", None) else "" for one in _NOTHING]
        drafts = [one.format(nothing=end) for one, end in zip(_LABELS, nothing, strict=True)]
    lines = "".join(f"  - {yaml.dump(one, default_style=chr(34), allow_unicode=True, width=10**6)}" for one in drafts)
    return f"# The order is part of the row ids: append only.\nwordings:\n{lines}"
