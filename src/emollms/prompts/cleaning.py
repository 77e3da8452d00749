"""What surrounds an answer, cut away: one function for every kind of answer and for both rules of parsing.

Only what carries no answer goes: special tokens, thinking, an echo of the prompt, further turns, markup, list numbers,
cues such as `Answer:`, and text before and after the answer. What could be part of the answer stays, so that a
contradiction is still seen.
"""

import re
from collections.abc import Callable, Sequence

from emollms.prompts.class_words import compact, label_mentions, labels_of
from emollms.tasks import MultiLabelTask, OrdinalTask, Task

_NOUNS = frozenset(
    ("answer", "response", "output", "result", "prediction", "label", "labels", "class", "classes", "category",
     "classification", "score", "rating", "value", "intensity", "sentiment", "emotion", "emotions", "level", "polarity",
     "degree", "state")
)  # fmt: skip
_OPENINGS = frozenset(("here", "overall", "so", "therefore", "final", "a"))
_VERBS = frozenset(
    ("is", "are", "be", "as", "contains", "contain", "expresses", "express", "shows", "show", "conveys", "convey",
     "choose", "say", "give", "assign", "select", "predict")
)  # fmt: skip
_SENTENCES = frozenset(("it's", "it’s", "that's", "that’s", "here's", "here’s"))
_OTHERS = frozenset(
    ("the", "an", "my", "your", "this", "that", "it", "its", "i", "i'd", "i’d", "i'm", "i’m", "would", "will", "of",
     "for", "to", "in", "on", "based", "likely", "best", "correct", "predicted", "appropriate", "estimated",
     "following", "expressed", "conveyed", "detected", "identified", "emotional", "mental", "ordinal", "tweet", "text",
     "sentence", "comment", "review", "snippet", "writer", "tweeter", "speaker", "author", "target", "towards",
     "toward", "rate", "classify", "classified", "sure", "certainly", "okay", "ok", "has", "have")
)  # fmt: skip
_WORDS = _NOUNS | _OPENINGS | _VERBS | _SENTENCES | _OTHERS
"""Nothing that could be part of an answer, and nothing that denies one."""
_LONGEST = 14
_WORD = re.compile(r"[\s\"'*_`(\[{]*([A-Za-z]+(?:['’][a-z]+)?)[\s\"'*_`)\]}]*([:=：]|[-=]>|→)?[,!]?[\s\"'*_`(\[{]*")


def after_cues(line: str) -> int:
    """Where in `line` the answer begins; 0 where no cue precedes it, the end of the line where it is nothing else."""
    end = position = count = 0
    noun = opening = False
    while found := _WORD.match(line, position):
        word = found[1].casefold()
        if word not in _WORDS or count == _LONGEST:
            break
        position, count = found.end(), count + 1
        noun, opening = noun or word in _NOUNS, opening or word in _OPENINGS
        if (found[2] and (noun or opening)) or (word in _VERBS and count > 1) or word in _SENTENCES:
            end, count, noun, opening = position, 0, False, False
        elif position == len(line) and noun:
            return position
    return end


EDGES = " \t\n\r\"'“”‘’«»`*_[](){}!"
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u200c\u200e\u200f\u2060\ufeff"))

_SPECIAL = (
    r"(?:<[|｜][^<>\n]{1,60}?[|｜]>|</?s>|<extra_id_\d+>|\[/?INST\]|\[end of text\]"
    r"|<(?:bos|eos|pad|unk|sep|cls|eot|eod|end|start_of_turn|end_of_turn|end_of_text|end_of_sentence)>"
    r"|\[(?:BOS|EOS|PAD|UNK|SEP|CLS|EOT|EOD)\])"
)
_THINK = r"(?:<(?:think|thinking|thoughts?|reasoning|reflection|scratchpad)>|\[THINK\]|◁think▷)"
_THINK_END = re.compile(
    r"</(?:think|thinking|thoughts?|reasoning|reflection|scratchpad)>|\[/THINK\]|◁/think▷", re.IGNORECASE
)
_OPENED = re.compile(rf"\s*{_THINK}", re.IGNORECASE)
_FINAL_CHANNEL = re.compile(r"<\|channel\|>\s*final\s*(?:<\|constrain\|>[^<]*)?<\|message\|>")
_LEAD = re.compile(
    rf"[\s\"'*_`]*(?:{_SPECIAL}\s*(?:(?:assistant|model)\b\s*:?)?|(?:assistant|model)\s*\n|(?:assistant|AI|bot|model)\s*:)",
    re.IGNORECASE,
)
_TURN = re.compile(
    r"(?:(?<![^\s.!?\"'*_`])(?:Human|HUMAN|User|USER|Assistant|ASSISTANT|Task|Tweet|Text|Question|Instruction|Input)\s?:)"
)
_ENDS = re.compile(rf"{_SPECIAL}|{_THINK}|<[|｜/]?[\w▁]{{0,30}}[|｜]?\s*\Z", re.IGNORECASE)
_ECHO = re.compile(
    r"\s*(?:Human\s?:|User\s?:|Task\s?:|<\|im_start\|>\s*(?:system|user)|<start_of_turn>\s*user|<\|user\|>)"
)
_ANSWERS_HERE = re.compile(
    r"\bAssistant\s?:|<\|im_start\|>\s*assistant|<start_of_turn>\s*model|<\|assistant\|>|\[/INST\]", re.IGNORECASE
)
_BREAK = re.compile(r"<(?:br|/?p|/?li|/?ul|/?ol|/?div) ?/?>", re.IGNORECASE)
_TAG = re.compile(r"</?[A-Za-z][\w-]{0,30}>|\\(?:boxed|text(?:bf|it|rm)?|mathrm|mathbf)\s*\{|```\w*")

_LATE_CUE = re.compile(r"\banswer\b[\s\"'*_`]*(?:is\b|[:=])", re.IGNORECASE)

_BULLETS = re.compile(r"(?:[•‣▪●▸]\s*|[-–—+]\s+(?=[^\W\d])|#{1,6}\s+)+")
_LIST_NUMBERS = re.compile(r"(?:\(?[1-9]\d?[.)]\s+)+(?=(.*))", re.DOTALL)
_LABEL_NUMBERS = re.compile(r"(?:\(?\d{1,2}[.):]\s*)+(?=\W*[^\W\d])")
_WHOLE_NUMBER = re.compile(r"([+-]?\d+\.)\s+(?=[A-Z])")
_HEADING = re.compile(r"\s*#{1,6}\s")
_SIGNED = r"[+\-\u2010-\u2015\u2212]?"
_DECIMAL = re.compile(rf"{_SIGNED}\d*[.,]\d")
_NUMBERED_CLASS = re.compile(rf"{_SIGNED}\d+\s*:")
_ANY_NUMBER = re.compile(rf"{_SIGNED}\.?\d")
_BARE_NUMBER = re.compile(rf"{_SIGNED}(?:\d+(?:[.,]\d*)?|[.,]\d+)\.?")
_BARE_CLASS = re.compile(rf"{_SIGNED}\d+(?:\.0*)?(?:\s*[:.)–—-]\s*(.*))?", re.DOTALL)

_BARE = re.compile(r"-?\d+(?:\.\d+)?(?:: [a-z ]+)?")
"""What most scores and classes are: nothing can be cut, and this is matched far faster than all else is searched."""
_SENTENCE = re.compile(r"(?<=[.!?])[ \t]+(?=[\"'“(*]*[A-Z])")
SEPARATORS = re.compile(r"[,，、،;；\r\n/&]|\band\b|(?m:^ *[-•] )", re.IGNORECASE)
_LABEL_WORDS = 3
"""The most words of what could be a label; more are a sentence."""


def cut_surroundings(text: str, task: Task, emotion: str | None = None) -> str:
    """The answer in `text`, without what surrounds it; the result is cut no further.

    Args:
        text: what the model said.
        task: the task, which decides what is an answer.
        emotion: the emotion asked for, where class names have it.

    Returns:
        Its lines that hold the answer; empty where there is none.
    """
    while isinstance(task, MultiLabelTask) or not _BARE.fullmatch(text):
        cut = _cut(text, task, emotion)
        if cut == text:
            break
        text = cut
    return text


def without_thinking(text: str) -> str:
    """`text` after the thinking that it begins with, or only ends; empty where the thinking never ends."""
    start = 0
    while opened := _OPENED.match(text, start):
        closed = _THINK_END.search(text, opened.end())
        if closed is None:
            return ""
        start = closed.end()
    text = text[start:]
    ended = _THINK_END.search(text)  # chat templates write the opening tag into the prompt
    if ended and not re.search(_THINK, text[: ended.start()], re.IGNORECASE):
        return text[ended.end() :] if text[ended.end() :].strip() else text[: ended.start()]
    return text


def _cut(text: str, task: Task, emotion: str | None) -> str:
    text = _one_turn(text.translate(_INVISIBLE), task)
    text = _TAG.sub(" ", _BREAK.sub("\n", text))
    is_bare = _bareness(task, emotion)
    lines = [line for line in (_line(line, task) for line in _from_late_cue(text, task, is_bare).splitlines()) if line]
    if isinstance(task, MultiLabelTask):
        kept = _label_lines(lines, task)
    else:
        kept = _through_answer(lines, task, is_bare, _names(task, emotion))
    return "\n".join(kept)


def _one_turn(text: str, task: Task) -> str:
    """The turn that answers: without an echo of the prompt, special tokens, thinking and further turns."""
    if _ECHO.match(text):
        begins = _ANSWERS_HERE.search(text)
        begins = begins or re.search(re.escape(task.cue), text, re.IGNORECASE)
        text = text[begins.end() :] if begins else text
    channels = list(_FINAL_CHANNEL.finditer(text))
    text = text[channels[-1].end() :] if channels else text
    before = None
    while before != text:
        before = text
        start = 0
        while lead := _LEAD.match(text, start):
            start = lead.end()
        text = without_thinking(text[start:])
    ends = _ENDS.search(text)
    text = text[: ends.start()].rstrip("< \t\n") if ends else text
    for turn in _TURN.finditer(text):
        if text[: turn.start()].strip(EDGES) or turn[0].casefold().startswith(("human", "user")):
            return text[: turn.start()]
    return text


def _from_late_cue(text: str, task: Task, is_bare: Callable[[str], bool]) -> str:
    """`text` from `Answer:` on, where only thoughts precede it."""
    late = _LATE_CUE.search(text)
    if late is None:
        return text
    before = [line for line in (_line(line, task) for line in text[: late.start()].splitlines()) if line]
    return text if not before or is_bare(before[0]) else text[late.start() :]


def _line(line: str, task: Task) -> str:
    """A line without quotes, brackets, bullets, list numbers and cues around it."""
    before = None
    while before != line:
        before = line
        line = line.strip(EDGES)
        if bullets := _BULLETS.match(line):
            line = line[bullets.end() :]
        line = line[_after_list_numbers(line, task) :]
        cued = after_cues(line)
        line = line[cued:]
        if cued and (whole := _WHOLE_NUMBER.match(line)):  # after a cue it is no number in a list, and no decimal
            line = whole[1]
    return line


def _after_list_numbers(line: str, task: Task) -> int:
    """Where a line goes on after its number in a list; 0 where that number could be the answer, or begin it."""
    if isinstance(task, MultiLabelTask):
        found = _LABEL_NUMBERS.match(line)
        return found.end() if found else 0
    found = _LIST_NUMBERS.match(line)
    if found is None:
        return 0
    rest = found[1][after_cues(found[1]) :].lstrip(EDGES)
    certain = _NUMBERED_CLASS if isinstance(task, OrdinalTask) else _DECIMAL
    wanted = _ANY_NUMBER if found[0].rstrip().endswith(")") else certain
    return found.end() if wanted.match(rest) else 0


def _names(task: Task, emotion: str | None) -> frozenset[str]:
    """The names of classes as `compact` writes them."""
    if not isinstance(task, OrdinalTask):
        return frozenset()
    return frozenset(compact(task.class_name(number, emotion)) for number in task.classes)


def _bareness(task: Task, emotion: str | None) -> Callable[[str], bool]:
    """Whether a line is an answer and nothing else."""
    if isinstance(task, MultiLabelTask):
        return lambda line: _names_labels(line, task)
    if not isinstance(task, OrdinalTask):
        return lambda line: _BARE_NUMBER.fullmatch(line) is not None
    names = _names(task, emotion)

    def is_class(line: str) -> bool:
        found = _BARE_CLASS.fullmatch(line)
        return compact(line) in names or (found is not None and (not found[1] or compact(found[1]) in names))

    return is_class


def _through_answer(
    lines: Sequence[str], task: Task, is_bare: Callable[[str], bool], names: frozenset[str]
) -> list[str]:
    """The lines up to the first with a number, or one that is the name of a class; later ones only if bare answers."""
    for place, line in enumerate(lines):
        if compact(line) in names or any(character.isnumeric() for character in line):
            kept = [line] if compact(line) in names else list(lines[: place + 1])
            return kept + [other for other in lines[place + 1 :] if is_bare(other)]
    return list(lines)


def _label_lines(lines: Sequence[str], task: MultiLabelTask) -> list[str]:
    """The lines and sentences that name labels, from the first; those that do not name any are around them."""
    kept: list[str] = []
    for line in lines:
        sentences = [
            sentence for sentence in _SENTENCE.split(line) if _short(sentence, task) or _names_labels(sentence, task)
        ]
        if kept and (not _short(line, task) or ":" in line):
            break
        if sentences and (not line.endswith(":") or _names_labels(line, task)):
            kept.append(" ".join(sentences))
    return kept or list(lines[:1])


def _short(line: str, task: MultiLabelTask) -> bool:
    known = labels_of(task)
    return all(len(part.split()) <= _LABEL_WORDS or compact(part) in known for part in SEPARATORS.split(line))


def _names_labels(line: str, task: MultiLabelTask) -> bool:
    return next(label_mentions(task, line), None) is not None
