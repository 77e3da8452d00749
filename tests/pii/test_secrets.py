"""Keys, tokens and passwords, against the plugins of detect-secrets. All are made up, and put together here, so that
scanners of this repository do not take them for real ones."""

import base64
import json
import random
import string
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class
from raw_corpora import everything

from emollms.pii.forms import FORMS
from emollms.pii.mask import count_sensitive, find_sensitive, mask
from emollms.pii.secrets import is_secret_setting

LETTERS, DIGITS = string.ascii_letters, string.digits
ALL, LOWER, HEX = LETTERS + DIGITS, string.ascii_lowercase + DIGITS, "0123456789abcdef"


def drawn(signs: str, length: int, seed: int = 7) -> str:
    """Signs drawn by chance, a digit and a letter among them where there are any."""
    draw = random.Random(seed)
    found = [draw.choice(signs) for _ in range(length)]
    if "7" in signs and length > 5:
        found[3] = "7"
    return "".join(found)


def jwt() -> str:
    parts = [json.dumps({"alg": "HS256", "typ": "JWT"}), json.dumps({"sub": "1234567", "name": "Jane"})]
    return ".".join([*(base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts), drawn(ALL, 43)])


PLUGINS = {
    "ArtifactoryDetector": ["AK" + "C" + drawn(ALL, 40), "AP" + "5" + drawn(ALL, 33)],
    "AWSKeyDetector": [
        "AK" + "IA" + drawn(string.ascii_uppercase + DIGITS, 16),
        "AS" + "IA" + drawn(string.ascii_uppercase + DIGITS, 16),
        f"aws_secret_access_key = '{drawn(ALL + '/+', 40)}'",
    ],
    "AzureStorageKeyDetector": ["Account" + "Key=" + drawn(ALL + "+/", 86) + "=="],
    "BasicAuthDetector": ["https://jane:" + "hunter2pass@example.org/x", "redis://" + "me:s3cretpw@example.org:6379"],
    "CloudantDetector": [
        f"cloudant_password = '{drawn(HEX, 64)}'",
        f"cl_apikey: '{drawn(string.ascii_lowercase, 24)}'",
        f"https://jane:{drawn(HEX, 64)}@jane.cloudant.com",
    ],
    "DiscordBotTokenDetector": ["M" + drawn(ALL, 23) + "." + drawn(ALL, 6) + "." + drawn(ALL, 27)],
    "GitHubTokenDetector": [f"gh{kind}" + "_" + drawn(ALL, 36) for kind in "pousr"],
    "GitLabTokenDetector": [
        *(f"gl{kind}" + "-" + drawn(ALL, 20) for kind in ("pat", "dt", "ft", "soat", "rt", "cbt")),
        "gl" + "imt-" + drawn(ALL, 25),
        "gl" + "ptt-" + drawn(ALL, 40),
        "gl" + "agent-" + drawn(ALL, 50),
        "gl" + "oas-" + drawn(ALL, 64),
        "GR" + "1348941" + drawn(ALL, 20),
    ],
    "IbmCloudIamDetector": [f"ibm_cloud_api_key = '{drawn(ALL + '-_', 44)}'", f"api_key: {drawn(ALL, 44)}"],
    "IbmCosHmacDetector": [f"cos_hmac_secret_access_key = {drawn(HEX, 48)}"],
    "JwtTokenDetector": [jwt()],
    "KeywordDetector": [
        "password = 'hunter2pass'",
        'api_key = "abcd1234efgh5678"',
        "db_pass: 's3cret!word'",
        'client_secret="8f2kd03jfm2"',
        'contraseña = "gato1234"',
        "private_key = 'k3yk3y99k3y'",
        "auth_key: 'zx81spectrum'",
        'service_key="w0rkw0rkw0rk"',
        'passwd = "letmein99"',
        "pwd = 'q1w2e3r4'",
    ],
    "MailchimpDetector": [drawn(LOWER, 32) + "-us12"],
    "NpmDetector": ["//registry.example.org/:_auth" + "Token=npm_" + drawn(ALL, 36),
                    "//registry.example.org/:_auth" + "Token=1f0c2d3e-4b5a-6978-8a9b-0c1d2e3f4a5b"],
    "OpenAIDetector": ["sk" + "-" + drawn(ALL, 20) + "T3BlbkFJ" + drawn(ALL, 20),
                       "sk" + "-proj-" + drawn(ALL + "_", 20) + "T3BlbkFJ" + drawn(ALL, 20)],
    "PrivateKeyDetector": [
        *("-----BEGIN " + kind + "PRIVATE KEY" + "-----" for kind in ("", "RSA ", "EC ", "DSA ", "OPENSSH ")),
        "-----BEGIN PGP " + "PRIVATE KEY BLOCK" + "-----",
        "-----BEGIN SSH2 ENCRYPTED " + "PRIVATE KEY" + "-----",
        "PuTTY-User-" + "Key-File-2: ssh-rsa",
    ],
    "PypiTokenDetector": [
        "py" + "pi-AgEIcHlwaS5vcmc" + drawn(ALL, 80),
        "py" + "pi-AgENdGVzdC5weXBpLm9yZw" + drawn(ALL, 80),
    ],
    "SendGridDetector": ["S" + "G." + drawn(ALL, 22) + "." + drawn(ALL, 43)],
    "SlackDetector": ["xo" + "xb-123456789012-123456789012-" + drawn(LOWER, 24),
                      "https://hooks.slack" + ".com/services/T0123ABCD/B0123ABCD/" + drawn(ALL, 24)],
    "SoftlayerDetector": [f"softlayer_api_key = {drawn(LOWER, 64)}",
                          "https://api.soft" + f"layer.com/soap/v3/{drawn(LOWER, 64)}"],
    "SquareOAuthDetector": ["sq" + "0csp-" + drawn(ALL + "-_", 43)],
    "StripeDetector": ["sk" + "_live_" + drawn(ALL, 24), "rk" + "_live_" + drawn(ALL, 24)],
    "TelegramBotTokenDetector": ["1234567890:" + drawn(ALL + "-_", 35)],
    "TwilioKeyDetector": ["A" + "C" + drawn(LOWER, 32), "S" + "K" + drawn(LOWER, 32)],
}  # fmt: skip
"""What each plugin finds."""
NO_FORM = {"Base64HighEntropyString", "HexHighEntropyString", "IPPublicDetector"}
"""Plugins of no form: any string in quotes, and addresses of machines, which are no secrets."""
OTHERS = {
    "hugging face": "hf" + "_" + drawn(ALL, 34),
    "hugging face, organization": "api" + "_org_" + drawn(ALL, 34),
    "anthropic": "sk" + "-ant-api03-" + drawn(ALL + "-_", 93) + "AA",
    "openai, service": "sk" + "-svcacct-" + drawn(ALL + "-_", 60),
    "groq": "gsk" + "_" + drawn(ALL, 52),
    "replicate": "r8" + "_" + drawn(ALL, 37),
    "xai": "xa" + "i-" + drawn(ALL, 80),
    "perplexity": "pp" + "lx-" + drawn(ALL, 48),
    "nvidia": "nv" + "api-" + drawn(ALL + "-_", 64),
    "databricks": "da" + "pi" + drawn(HEX, 32),
    "google": "AI" + "za" + drawn(ALL + "-_", 35),
    "google, oauth": "GOC" + "SPX-" + drawn(ALL + "-_", 28),
    "google, service account": '"private_key": "-----BEGIN ' + 'PRIVATE KEY-----\\nMIIEvQ"',
    "github, fine-grained": "github" + "_pat_" + drawn(ALL, 22) + "_" + drawn(ALL, 59),
    "azure, shared access": "https://example.org/c?sv=2024-01-01&se=2027-01-01&sig=" + drawn(ALL, 43) + "%3D",
    "azure, service bus": "SharedAccess" + "Key=" + drawn(ALL + "+/", 43) + "=",
    "azure, application": drawn(ALL, 3) + "8" + "Q~" + drawn(ALL + "-_.", 34),
    "digital ocean": "do" + "p_v1_" + drawn(HEX, 64),
    "shopify": "sh" + "pat_" + drawn(HEX, 32),
    "mailgun": "ke" + "y-" + drawn(HEX, 32),
    "square": "EA" + "AA" + drawn(ALL + "-_", 60),
    "vercel": "vercel" + "_blob_rw_" + drawn(ALL, 30),
    "discord, webhook": "https://discord" + ".com/api/webhooks/1234567890123456/" + drawn(ALL + "-_", 68),
    "slack, application": "xa" + "pp-1-A0123ABCD-1234567890123-" + drawn(HEX, 64),
    "stripe, webhook": "wh" + "sec_" + drawn(ALL, 32),
    "docker": "dckr" + "_pat_" + drawn(ALL + "-_", 27),
    "vault": "hv" + "s." + drawn(ALL, 24),
    "grafana": "gl" + "sa_" + drawn(ALL, 32) + "_" + drawn(HEX, 8),
    "cohere, by its name": f"COHERE_API_KEY={drawn(ALL, 40)}",
    "mistral, by its name": f"export MISTRAL_API_KEY={drawn(ALL, 32)}",
    "vercel, by its name": f"VERCEL_TOKEN={drawn(ALL, 24)}",
    "cloudflare, by its name": f"CLOUDFLARE_API_TOKEN: {drawn(ALL + '-_', 40)}",
    "weights and biases, by its name": f"WANDB_API_KEY={drawn(HEX, 40)}",
}
ASSIGNED = [
    "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/" + "bPxRfiCYzzzzzzzKEY",
    "password: hunter2",
    "password: S3cr3tP@ss!",
    "DB_PASSWORD=correct-h0rse",
    '{"password": "q8Zr71"}',
    "  secret: 'ab12cd34'",
    "api_key=abcd1234efgh5678",
    "apiKey: abcd1234efgh",
    'headers = {"X-Api-Key": "abcd1234efgh"}',
    "<password>hunter2</password>",
    "https://example.org/?api_key=abcd1234efgh&x=1",
    "client_secret => 'abcd1234efgh'",
    "postgres://:" + "s3cretpw@example.org/db",
    "emollms train --hub-token abcd1234efgh",
    "password_prod := 'hunter2pass'",
    "password: tokenABC123",
    "password = '$ecret99!x'",
    "api_key = 'example9f8d7c6b'",
    "Authorization: Bearer " + drawn(ALL, 24),
]
SOUND = [
    "password: lol",
    "Password: Incorrect!!!",
    "my password is password",
    "forgot my password again :(",
    "password = '********'",
    "password: <your password>",
    "password=${DB_PASSWORD}",
    "password: changeme",
    "api_key = os.environ['API_KEY']",
    "api_key=YOUR_API_KEY_123",
    "token = get_token2(user1)",
    "hf_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    "sk-something-something-something-else",
    "key: happy birthday 2024",
    "the key to 10000 hours",
    "monkey: banana123banana",
    "tokenizer: gpt2tokenizerfast",
    "pad_token: <|finetune_right_pad_id|>",
    "max_new_tokens=128000",
    "secret: none",
    "secret santa: 24 december",
    "token_count=1234567",
    "APRIL2024 ACCORDING SKATEBOARDING",
    "https://user@example.org",
    "Re:Zero - 12:30 tonight",
    "token: sample-en-test-001",
]


def plugins() -> Iterator[tuple[str, str]]:
    for name, values in PLUGINS.items():
        yield from ((name, value) for value in values)


def test_no_plugin_is_left_out() -> None:
    known = {kind.__name__ for kind in get_mapping_from_secret_type_to_class().values()}
    assert known == set(PLUGINS) | NO_FORM


@pytest.mark.parametrize(("name", "value"), plugins())
def test_what_a_plugin_finds_is_found(name: str, value: str) -> None:
    kinds = {kind.__name__: kind for kind in get_mapping_from_secret_type_to_class().values()}
    assert kinds[name]().analyze_line("settings.py", value, 1), "the example is none of the plugin's"
    assert "secret" in {find.kind for find in find_sensitive(value)}
    assert count_sensitive(pa.array([value]))["secret"].texts == 1


@pytest.mark.parametrize("value", [*OTHERS.values(), *ASSIGNED], ids=[*OTHERS, *ASSIGNED])
def test_other_providers_and_names(value: str) -> None:
    for text in (value, f"see {value} here", f'"note": "{value}"'):
        assert "secret" in {find.kind for find in find_sensitive(text)}, text
        assert count_sensitive(pa.array([text]))["secret"].texts == 1
        assert "[SECRET1]" in mask(text)


@pytest.mark.parametrize("text", SOUND)
def test_what_people_write_is_no_secret(text: str) -> None:
    assert "secret" not in {find.kind for find in find_sensitive(text)}


def test_every_form_has_its_mark() -> None:
    """The mark is looked for first, in small letters: a form without it would never be found."""
    for mark, pattern in FORMS:
        plain = pattern.replace("\\", "").lower()
        assert mark in plain or mark.replace(".", "") in plain, pattern


@pytest.mark.parametrize(
    ("name", "value", "is_secret"),
    [
        ("hub_token", "abc", True), ("HF_TOKEN", "x y", True), ("db.password", "letmein", True),
        ("secret", "blue", True),
        ("wandb_api_key", "a", True), ("push_to_hub_token", "abc", True), ("hub_token", "", False),
        ("hub_token", "<HUB_TOKEN>", False), ("pad_token", "abcdefgh1", False), ("eos_token", "</s>", False),
        ("key", "abcdefgh1", False), ("tokenizer", "gpt2", False), ("hub_token", "${HF_TOKEN}", False),
    ],
)  # fmt: skip
def test_settings_that_are_secrets_by_their_name(name: str, value: str, is_secret: bool) -> None:
    assert is_secret_setting(name, value) is is_secret


@pytest.mark.corpora
def test_no_text_of_the_corpora_is_called_a_secret(corpora_dir: Path) -> None:
    """So that nothing is masked, or kept from being published, that people have written."""
    texts = pa.array(everything(corpora_dir)).unique()
    assert len(texts) > 200_000
    assert count_sensitive(texts)["secret"].texts == 0
