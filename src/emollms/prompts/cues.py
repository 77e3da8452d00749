"""What announces an answer: `Answer:`, `Sentiment Class:`, `The sentiment of this text is`."""

import re

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
