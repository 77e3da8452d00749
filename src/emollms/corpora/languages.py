"""Languages by name; corpora know them by code."""

NAMES = {
    "af": "Afrikaans", "am": "Amharic", "ar": "Arabic", "arq": "Algerian Arabic", "ary": "Moroccan Arabic",
    "de": "German", "en": "English", "es": "Spanish", "fr": "French", "ha": "Hausa", "hi": "Hindi", "id": "Indonesian",
    "ig": "Igbo", "it": "Italian", "ja": "Japanese", "jv": "Javanese", "ko": "Korean", "mr": "Marathi", "nl": "Dutch",
    "om": "Oromo", "pcm": "Nigerian Pidgin", "pl": "Polish", "pt": "Portuguese", "pt-BR": "Brazilian Portuguese",
    "pt-MZ": "Mozambican Portuguese", "ro": "Romanian", "ru": "Russian", "rw": "Kinyarwanda", "so": "Somali",
    "su": "Sundanese", "sv": "Swedish", "sw": "Swahili", "ti": "Tigrinya", "tr": "Turkish", "tt": "Tatar",
    "uk": "Ukrainian", "vmw": "Emakhuwa", "xh": "isiXhosa", "yo": "Yoruba", "zh": "Chinese", "zu": "isiZulu",
}  # fmt: skip
"""Code to English name: those of the corpora here, and some others."""


def language_name(code: str) -> str:
    """The English name of a language; its code where the name is not known."""
    return NAMES.get(code, code)
