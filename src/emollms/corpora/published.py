"""How the published AEB came by its texts and numbers, for the profile `paper`."""

from emollms.prompts.template import end_sentence


def published_tweet(text: str) -> str:
    """A tweet as the published data sets have it: not stripped, and ended with a `.` where nothing else ends it."""
    return end_sentence(text)


def published_number(value: float) -> str:
    """A gold score as the published AEB writes it.

    Its SST and VADER scores went twice through a reader of decimals that rounds at each of a few divisions, as the
    legacy parser of pandas does, so that 0.83333 became 0.8333299999999999. This holds for all 6,210 of its rows.
    """
    return str(_read_coarsely(_read_coarsely(value)))


def _read_coarsely(value: float) -> float:
    whole, _, decimals = repr(abs(value)).partition(".")
    number, power, places = float(int(whole + decimals)), 10.0, len(decimals)
    while places:
        if places & 1:
            number /= power
        places >>= 1
        power *= power
    return -number if value < 0 else number
