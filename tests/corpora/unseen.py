"""Three corpora that are made up, in the shape of ones that this project has never seen."""

from collections.abc import Iterator
from itertools import product
from pathlib import Path

LANGUAGES = [
    "ar",
    "bg",
    "bs",
    "cn",
    "cs",
    "da",
    "de",
    "el",
    "en",
    "es",
    "et",
    "fi",
    "fr",
    "he",
    "hr",
    "hu",
    "is",
    "it",
    "mk",
    "nl",
    "no",
    "pl",
    "pt",
    "pt_br",
    "ro",
    "ru",
    "sl",
    "sr",
    "sv",
    "tr",
]  # as subtitles are named: `cn` is a country, and `pt_br` has a region
EMOTIONS = "1=anger,2=anticipation,3=disgust,4=fear,5=joy,6=sadness,7=surprise,8=trust"
PLACES = ("bridge", "harbour", "station", "garden", "kitchen", "attic", "library", "market", "mill", "tower")
PEOPLE = ("my aunt", "the baker", "our captain", "that doctor", "a stranger", "the twins", "his boss")
LETTERS = {
    "ar": "ابتثجحخدذرزسشصضط", "bg": "абвгдежзийклмнопр", "el": "αβγδεζηθικλμνξοπρ", "he": "אבגדהוזחטיכלמנסעפ",
    "mk": "абвгдѓежзѕијклљмн", "ru": "бвгдежзиклмнопрст", "sr": "вгдђежзијклљмнњоп",
    "cn": "他们说过这句话没有人知道为什么我",
}  # fmt: skip
"""Letters of the languages that are not written in Latin ones."""


def sentences(count: int) -> Iterator[str]:
    """Sentences none of which is nearly another."""
    made = (
        f"{who} left {number} parcels by the {place}" for number, (who, place) in enumerate(product(PEOPLE, PLACES))
    )
    endings = ("and nobody knew why", "before the rain came down", "so we all laughed", "which made her furious")
    for number, sentence in zip(range(count), made, strict=False):
        yield f"{sentence}, {endings[number % 4]}"


def other_letters(letters: str, number: int) -> str:
    """Words that mean nothing, in letters of a language."""
    places = ((number * 7 + word * 5, number * 3 + word * 11, number * word + word) for word in range(9))
    return " ".join("".join(letters[place % len(letters)] for place in three) for three in places)


def write_subtitles(folder: Path) -> None:
    """A file a language: text, tab, numbers of one or several of eight emotions; no header."""
    folder.mkdir(parents=True)
    for language in LANGUAGES:
        lines = []
        for number, sentence in enumerate(sentences(16)):
            made_up = " ".join(f"{language}{word}{language}" for word in sentence.split())
            text = other_letters(LETTERS[language], number) if language in LETTERS else made_up
            labels = sorted({number % 8 + 1, number * 3 % 8 + 1})
            lines.append(f"{text}\t{', '.join(map(str, labels))}\n")
        (folder / f"{language}-annotated.tsv").write_text("".join(lines), encoding="utf-8")
    (folder / "README.txt").write_text("Made up.\nLicence: CC BY 4.0\n")


ITALIAN = (
    "Che bella giornata di sole", "Ho perso il treno; di nuovo", "Il cane dorme sul divano", "Mi hai davvero deluso",
    "Finalmente siamo arrivati al mare", "La zuppa era fredda e salata", "Nessuno risponde al telefono",
    "Abbiamo vinto la partita", "Il gatto ha rotto il vaso blu", "Domani comincia la scuola", "Piove da tre giorni",
    "Grazie per il tuo aiuto", "Non trovo più le chiavi", "Il film mi ha fatto piangere", "Che paura, quel tuono",
    "La nonna prepara i biscotti", "Il capo ha urlato con tutti", "Sono fiero di mia figlia",
    "Che noia questa riunione", "Il bambino ride nel parco", "Hanno chiuso la biblioteca", "Mi manca la mia città",
    "Una lettera dal passato", "Il pane è appena uscito dal forno",
)  # fmt: skip


def write_italian(folder: Path) -> None:
    """One table: semicolons, quotes, decimal commas, 1 to 5 with a value a hair above, a column of splits."""
    folder.mkdir(parents=True)
    lines = ["id;split;V;A;D;testo"]
    for number, text in enumerate(ITALIAN):
        split = "dev" if number % 6 == 4 else "test" if number % 6 == 5 else "train"
        scores = (1 + number * 0.17, 5 - number * 0.15, 2 + (number % 5) * 0.5)
        shown = [f"{score:.2f}".replace(".", ",") for score in scores]
        shown[0] = "5,08" if number == 23 else shown[0]
        cell = f'"{text}"' if ";" in text else text
        lines.append(f"it_{number};{split};{';'.join(shown)};{cell}")
    (folder / "emoita.csv").write_text("\r\n".join(lines) + "\r\n", encoding="utf-8")


def write_posts(folder: Path) -> None:
    """Posts with two raters, 1 to 9, each of valence and arousal; no ids, no splits, curly quotes that were misread."""
    folder.mkdir(parents=True)
    lines = ["Anonymized Message,Valence1,Valence2,Arousal1,Arousal2"]
    for number, sentence in enumerate(sentences(60)):
        text = sentence.replace("nobody", "I donâ€™t think anybody").replace("laughed", "went to the cafÃ©")
        text = f'"{text}"' if "," in text else text
        first, arousal = number % 9 + 1, number * 2 % 9 + 1
        lines.append(f"{text},{first},{min(9, first + 1)},{arousal},{arousal}")
    twin = next(iter(sentences(1)))
    lines.append(f'"{twin}!",5,5,5,5')  # a near-duplicate of the first
    (folder / "posts.csv").write_bytes("\n".join(lines).encode("utf-8"))
