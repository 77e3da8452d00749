r"""The forms of the keys and tokens that providers give out, a line each.

Each pattern is RE2's and Python's alike (ASCII classes, no look-around), so that the hint for a column can be cut out
of the pattern for a text.
"""

import re

FORMS = (
    # hosts and makers of models
    ("hf_", r"hf_[A-Za-z0-9]{20,}"),
    ("api_org_", r"api_org_[A-Za-z0-9]{30,}"),
    ("sk-", r"sk-(?:proj|svcacct|admin|ant|or|lf)-[\w-]{20,}"),
    ("sk-", r"sk-(?:[a-z]{2,8}\d*-)*[A-Za-z0-9_]{20,}[\w-]*"),  # OpenAI's older ones, and many who copy them
    ("gsk_", r"gsk_[A-Za-z0-9]{30,}"),
    ("r8_", r"r8_[A-Za-z0-9]{30,}"),
    ("xai-", r"xai-[A-Za-z0-9]{40,}"),
    ("pplx-", r"pplx-[A-Za-z0-9]{30,}"),
    ("nvapi-", r"nvapi-[\w-]{40,}"),
    ("fw_", r"fw_[A-Za-z0-9]{22,}\b"),
    ("tgp_v1_", r"tgp_v1_[\w-]{30,}"),
    ("jina_", r"jina_[\w-]{40,}"),
    ("lsv2_", r"lsv2_(?:pt|sk)_[a-f0-9]{32}_[a-f0-9]{10}"),
    ("pcsk_", r"pcsk_\w{40,}"),
    ("co_", r"co_[A-Za-z0-9]{38,}\b"),
    ("dapi", r"dapi[a-f0-9]{32}\b"),
    # clouds
    *((kind.lower(), rf"{kind}[A-Z0-9]{{16}}\b") for kind in ("AKIA", "ASIA", "ABIA", "ACCA")),
    ("a3t", r"A3T[A-Z0-9]{17}\b"),
    ("absk", r"ABSK[A-Za-z0-9+/=]{60,}"),
    ("aiza", r"AIza[\w-]{35}"),
    ("ya29.", r"ya29\.[\w-]{20,}"),
    ("gocspx-", r"GOCSPX-[\w-]{20,}"),
    ("1//0", r"1//0[\w-]{40,}"),
    ("accountkey=", r"AccountKey=[A-Za-z0-9+/=]{40,}"),
    ("accesskey=", r"SharedAccessKey=[A-Za-z0-9+/=]{40,}"),
    ("sig=", r"sig=[A-Za-z0-9+/%]{40,}"),
    ("q~", r"[\w.~-]{3}\dQ~[\w.~-]{31,34}"),
    *((f"do{kind}_v1_", rf"do{kind}_v1_[a-f0-9]{{64}}") for kind in "opr"),
    ("v1.0-", r"v1\.0-[a-f0-9]{24}-[a-f0-9]{100,}"),
    ("vercel_", r"vercel_blob_rw_\w{20,}"),
    *((f"vc{kind}_", rf"vc{kind}_[A-Za-z0-9]{{24,}}") for kind in "aikpr"),
    ("nfp_", r"nfp_[A-Za-z0-9]{36,}"),
    ("hrku-", r"HRKU-[\w-]{36,}"),
    ("softlayer", r"api\.softlayer\.com/soap/v3(?:\.1)?/[a-z0-9]{64}"),
    ("sbp_", r"sbp_[a-f0-9]{40}"),
    ("sb_secret_", r"sb_secret_[\w-]{20,}"),
    ("pscale_", r"pscale_(?:tkn|pw|oauth)_[\w.-]{30,}"),
    *((f"hv{kind}.", rf"hv{kind}\.[\w-]{{24,}}") for kind in "sbr"),
    ("dp.", r"dp\.(?:pt|st|ct|sa)\.[\w.-]{40,}"),
    (".atlasv1.", r"[A-Za-z0-9]{14}\.atlasv1\.[\w-]{50,}"),
    ("tskey-", r"tskey-[a-z]+-[\w-]{20,}"),
    # code and packages
    *((f"gh{kind}_", rf"gh{kind}_[A-Za-z0-9_]{{30,}}") for kind in "opsur"),
    ("github_pat_", r"github_pat_\w{22,}"),
    *(
        (f"gl{kind}-", rf"gl{kind}-[\w-]{{20,}}")
        for kind in ("pat", "dt", "ft", "soat", "rt", "cbt", "imt", "ptt", "agent", "oas")
    ),
    ("gr1348941", r"GR1348941[\w-]{20,}"),
    ("npm_", r"npm_[A-Za-z0-9]{36}"),
    ("pypi-", r"pypi-[\w-]{50,}"),
    ("rubygems_", r"rubygems_[a-f0-9]{48}"),
    ("dckr_", r"dckr_[po]at_[\w-]{20,}"),
    ("ccipat_", r"CCIPAT_\w{20,}"),
    ("akc", r"AKC[A-Za-z0-9]{20,}"),
    ("ap", r"AP[\dA-F][A-Za-z0-9]{20,}"),
    ("sntry", r"sntry[su]_[\w+/=-]{40,}"),
    ("nrak-", r"NRAK-[A-Z0-9]{27}"),
    ("glsa_", r"glsa_\w{32,}"),
    ("glc_", r"glc_[A-Za-z0-9+/=]{32,}"),
    ("pmak-", r"PMAK-[a-f0-9]{24}-[a-f0-9]{34}"),
    # messages, money and other services
    ("xox", r"xox[abeoprs]-[\w-]{10,}"),
    ("xapp-", r"xapp-\d-[A-Z0-9]+-[\w-]{20,}"),
    ("hooks.slack", r"hooks\.slack\.com/(?:services|workflows)/T\w+/\w+/[\w/]+"),
    (".", r"[MNO][\w-]{23,25}\.[\w-]{6}\.[\w-]{27,}"),  # Discord
    ("/api/webhooks", r"discord(?:app)?\.com/api/webhooks/\d+/[\w-]{40,}"),
    (":", r"\d{8,10}:[\w-]{35}\b"),  # Telegram
    ("sg.", r"SG\.[\w-]{16,}\.[\w-]{16,}"),
    ("ac", r"AC[a-z0-9]{32}\b"),  # Twilio, also the next
    ("sk", r"SK[a-z0-9]{32}\b"),
    ("key-", r"key-[0-9a-f]{32}\b"),  # Mailgun
    ("-us", r"[0-9a-z]{32}-us\d{1,2}\b"),  # Mailchimp
    ("k_live_", r"[prs]k_live_[A-Za-z0-9]{16,}"),
    ("k_test_", r"[prs]k_test_[A-Za-z0-9]{16,}"),
    ("whsec_", r"whsec_[A-Za-z0-9+/=]{24,}"),
    *((f"shp{kind}_", rf"shp{kind}_[a-fA-F0-9]{{32}}\b") for kind in ("at", "ca", "pa", "ss")),
    ("sq0", r"sq0[a-z]{3}-[\w\\-]{22,}"),
    ("eaaa", r"EAAA[\w-]{60}"),
    ("lin_api_", r"lin_api_[A-Za-z0-9]{40}"),
    ("ntn_", r"ntn_[A-Za-z0-9]{40,}"),
    ("secret_", r"secret_[A-Za-z0-9]{43}\b"),
    ("atatt3", r"ATATT3[\w=-]{50,}"),
    ("pat", r"pat[A-Za-z0-9]{14}\.[a-f0-9]{64}"),
    ("figd_", r"figd_[\w-]{40,}"),
    # keys of no provider
    ("age-secret", r"AGE-SECRET-KEY-1[A-Z0-9]{50,}"),
    ("putty-user", r"PuTTY-User-Key-File-\d"),
    ("eyj", r"eyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*"),  # JSON Web Tokens
)
"""A keyword that every key of a form has, in small letters, and its pattern."""

_BEGINNING = re.compile(r"(?P<literal>.*?)(?P<signs>\[(?:\\.|[^\]])*\]|\\[wd])\{(?P<least>\d+)")
_ENOUGH = 8
"""Characters after a beginning that make a text worth a closer check; to count all of them in a column takes fifty
times as long."""
_WITHOUT_BEGINNING = {
    ".": r"[MNO][\w-]{23}",
    ":": r"\d{8}:[\w-]{8}",
    "-us": r"-us\d",
    ".atlasv1.": r"\.atlasv1\.",
    "q~": r"\dQ~",
    "sk-": r"sk-[\w-]{8}",
}
"""What to search for, by the keyword, where a form begins with any signs, or with several beginnings."""


def hint(keyword: str, pattern: str) -> str:
    """What every text that holds a key of a form matches, and few others do."""
    begins = _BEGINNING.match(pattern)
    if keyword in _WITHOUT_BEGINNING or begins is None:
        return _WITHOUT_BEGINNING.get(keyword, pattern)
    return f"{begins['literal']}{begins['signs']}{{{min(int(begins['least']), _ENOUGH)}}}"
