"""Why an answer is invalid: the fixed wordings, and the exception that carries one."""

from emollms.errors import shorten

EMPTY = "empty answer"
NO_NUMBER = "no number"
OFF_SCALE = "off the scale"
TWO_NUMBERS = "different numbers"
UNREADABLE = "unreadable number"
CUT_OFF = "decimal cut off"
NO_CLASS = "neither a class number nor the words of a class"
UNKNOWN_CLASS = "unknown class"
CONTRADICTION = "words contradict the number"
OTHER_EMOTION = "about another emotion"
UNKNOWN_LABEL = "unknown label"
NOTHING_AND_LABELS = "both labels and none"


class InvalidAnswer(Exception):  # noqa: N818 - it says what the answer is, and never leaves this package
    """An answer that cannot be read.

    Args:
        reason: one of the fixed wordings of this module.
        part: the part of the answer that is to blame; cut when shown.
    """

    def __init__(self, reason: str, part: str = "") -> None:
        # Escaped characters take up to ten times their length, so the written form is cut as well.
        super().__init__(f"{reason}: {shorten(repr(shorten(part)), 100)}" if part else reason)
