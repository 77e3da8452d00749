import email.utils
import logging
import socket
import threading
import time

import pytest
from inference.fake_server import serving
from inference.tiny_models import TEXTS, model, prompts, tokenizer

from emollms.errors import UsageError
from emollms.inference.decoding import decode, softmax
from emollms.inference.endpoint import EndpointEngine, destination
from emollms.inference.engine import RELEASE, EngineError, Sampling
from emollms.inference.http_client import ClientOptions
from emollms.inference.transformers_engine import TransformersEngine
from emollms.prompts.template import prompt
from emollms.retry import RetryPolicy
from emollms.tasks import get_task

SHORT = Sampling(max_new_tokens=6)


@pytest.fixture
def server():
    with serving() as made:
        yield made


@pytest.fixture(scope="module")
def local() -> TransformersEngine:
    return TransformersEngine(model("llama"), tokenizer("llama"), "llama", template="frame")


def engine(url: str, waits: list[float] | None = None, api="completions", **more) -> EndpointEngine:
    names = {name: more.pop(name) for name in ("retry", "per_minute", "key_variable", "timeout") if name in more}
    options = ClientOptions(sleep=[].append if waits is None else waits.append, **names)
    return EndpointEngine(url, "tiny", api, options=options, **more)


def test_completions_are_those_of_the_model(server, local):
    url, faults = server
    found = sorted(engine(url).generate(prompts(), SHORT))
    assert [one.value for one in found] == [one.value for one in sorted(local.generate(prompts(), SHORT))]
    assert 1 < faults.most_at_once <= 8
    assert {"model", "prompt", "max_tokens", "temperature", "seed"} == set(faults.seen[0])


def test_a_chat_gets_the_bare_prompt(server):
    url, faults = server
    (found,) = engine(url, api="chat").generate(["Say something "], RELEASE)
    assert found.value == "omething"
    assert faults.counts == {"/v1/chat/completions": 1}
    assert faults.seen[0]["messages"] == [{"role": "user", "content": "Say something "}]
    assert (faults.seen[0]["top_k"], faults.seen[0]["repetition_penalty"]) == (30, 1.2)


def test_scores_are_those_of_the_model(server, local):
    url, _ = server
    some = [["0: no anger can be inferred", "1: low amount", "joy"]] * 4
    found = sorted(engine(url).score(prompts()[:4], some))
    for one, other in zip(found, sorted(local.score(prompts()[:4], some)), strict=True):
        assert one.value == pytest.approx(other.value, abs=1e-4)


@pytest.mark.parametrize("name", ["V-reg", "EI-oc"])
def test_an_expected_value_is_that_of_the_model(server, local, name):
    url, faults = server
    faults.most_top = 700
    task = get_task(name)
    emotion = "joy" if name == "EI-oc" else None
    rows = [{"id": text, "prompt": prompt(task, text, 0, emotion), "emotion": emotion} for text in TEXTS[:2]]
    here = {one.id: one for one in decode(local, task, rows, tolerance=0.0)}
    for one in decode(engine(url, top=700), task, rows, tolerance=0.002 if name == "V-reg" else 0.0):
        assert one.probabilities == pytest.approx(here[one.id].probabilities, abs=0.05)


def test_a_server_that_tells_few_tokens_is_asked_for_fewer(server):
    url, faults = server
    faults.most_top = 5
    one = engine(url)
    list(one.score(prompts()[:1], [[f"{number}: so" for number in range(40)]]))
    assert [body["logprobs"] for body in faults.seen[:2]] == [20, 5]
    assert one.describe().settings["top"] == 5


def test_what_passes_is_tried_again(server, local):
    url, faults = server
    date = email.utils.formatdate(time.time() + 60, usegmt=True)
    faults.plan = {0: (429, {"Retry-After": "0"}), 1: (500, {}), 2: "drop", 4: (503, {"Retry-After": date})}
    waits: list[float] = []
    found = sorted(engine(url, workers=1, waits=waits).generate(prompts()[:3], SHORT))
    assert [one.value for one in found] == [one.value for one in sorted(local.generate(prompts()[:3], SHORT))]
    assert waits[0] == 0
    assert waits[1:3] == [1.0, 2.0]
    assert 50 < waits[3] <= 60


def test_waits_grow_to_their_limit_and_end(server):
    url, faults = server
    faults.always = (500, "no")
    waits: list[float] = []
    retry = RetryPolicy(retries=5, first_wait=1, longest_wait=5)
    with pytest.raises(EngineError, match="failed 6 times, the last time with 500 no"):
        list(engine(url, workers=1, waits=waits, retry=retry).generate(prompts()[:1], SHORT))
    assert waits == [1, 2, 4, 5, 5]


@pytest.mark.parametrize(("status", "headers"), [(404, {}), (401, {}), (429, {"Retry-After": "86400"})])
def test_what_stays_is_not_tried_again(server, status, headers):
    url, faults = server
    faults.plan = dict.fromkeys(range(100), (status, headers))
    refusal = "is busy and asks to wait 86,400 seconds: 429" if headers else f"completions refuses: {status} busy"
    with pytest.raises(EngineError, match=refusal):
        list(engine(url, workers=1).generate(prompts(), SHORT))
    assert len(faults.seen) <= 2


def test_a_server_that_is_not_there_is_an_error():
    with serving() as (url, _):
        pass
    waits: list[float] = []
    with pytest.raises(EngineError, match=r"^no server answers at 127\.0\.0\.1:\d+: Connection refused; check"):
        list(engine(url, waits).generate(prompts()[:1], SHORT))
    assert waits == [], "what never answered is not waited for"


def test_the_key_is_sent_and_never_shown(server, monkeypatch, caplog):
    url, faults = server
    monkeypatch.setenv("MY_KEY", "sk-very-secret")
    faults.always = (401, "Incorrect API key provided: sk-very-secret")
    one = engine(url, key_variable="MY_KEY")
    with caplog.at_level(logging.DEBUG), pytest.raises(EngineError) as raised:
        list(one.generate(prompts()[:1], SHORT))
    assert faults.headers[0]["authorization"] == "Bearer sk-very-secret"
    assert "Incorrect API key provided: …" in str(raised.value)
    assert "very-secret" not in caplog.text + str(raised.value) + str(one.describe())


def test_the_rate_is_kept(server):
    url, _ = server
    waits: list[float] = []
    list(engine(url, workers=1, waits=waits, per_minute=6).generate(prompts()[:3], SHORT))
    assert waits[0] <= 0
    assert 8 < waits[1] <= 10 < waits[2] <= 20  # nobody really waits here


def test_no_log_probabilities_is_an_error_that_tells_what_to_do(server):
    url, faults = server
    faults.scores = False
    assert not engine(url).gives_log_probabilities()
    for some in (["a", "b"], [str(number) for number in range(40)]):
        with pytest.raises(EngineError, match=r"gives no log-probabilities .* use --decode greedy"):
            list(engine(url).score(prompts()[:1], [some]))
    with pytest.raises(EngineError, match=r"chat servers give no log-probabilities .* use --decode greedy"):
        list(engine(url, api="chat").score(prompts()[:1], [["a"]]))


def test_answers_that_are_no_answers_are_errors(server):
    url, faults = server
    faults.always = (200, "<html>")
    with pytest.raises(EngineError, match="answers with no JSON: 'a web page'; check the address"):
        list(engine(url).generate(prompts()[:1], SHORT))
    faults.always = (200, '{"error": "no model"}')
    with pytest.raises(EngineError, match=r"answers without choices: .*no model"):
        list(engine(url).generate(prompts()[:1], SHORT))
    with pytest.raises(UsageError, match="no address of a server"):
        EndpointEngine("localhost:8000", "tiny")


@pytest.mark.parametrize("status", [400, 404, 405, 501])
def test_a_server_that_only_chats_is_chatted_with(server, status):
    url, faults = server
    faults.missing = {"/v1/completions": (status, "no such endpoint")}
    told: list[str] = []
    one = engine(url, api=None, warn=told.append)
    (found,) = one.generate(["Say something "], SHORT)
    assert found.value == "omething"
    assert one.describe().template == "chat"
    assert not one.gives_log_probabilities()
    assert told == [f"{url} has no completions; its chat is used, which frames prompts in its own way"]


def test_a_model_that_is_not_there_is_no_reason_to_chat(server):
    url, faults = server
    faults.always = (404, "the model tiny does not exist")
    with pytest.raises(EngineError, match="refuses: 404 the model tiny does not exist"):
        list(engine(url, api=None).generate(prompts()[:1], SHORT))


def test_a_server_that_does_not_repeat_prompts_still_scores(server, local):
    url, faults = server
    faults.most_top, faults.echoes = 700, False
    some = [["0: no anger", "1: low amount", "joy"]] * 2
    one = engine(url, top=700)
    assert one.gives_log_probabilities()
    for found, other in zip(
        sorted(one.score(prompts()[:2], some)), sorted(local.score(prompts()[:2], some)), strict=True
    ):
        assert softmax(found.value) == pytest.approx(softmax(other.value), abs=0.01)


@pytest.mark.parametrize("end", ["", "/", "/v1", "/v1/", "/v1/completions", "/v1/chat/completions"])
def test_any_form_of_the_address(server, end):
    url, faults = server
    list(engine(url.removesuffix("/v1") + end).generate(prompts()[:1], SHORT))
    assert faults.counts == {"/v1/completions": 1}


def test_the_only_model_of_a_server_needs_no_name(server):
    url, faults = server
    assert EndpointEngine(url).model == "tiny"
    faults.models = ["one", "two"]
    with pytest.raises(UsageError, match="serves one, two; name one with --model"):
        EndpointEngine(url)


def test_where_texts_go():
    assert destination("http://localhost:8000/v1") == "the texts are sent to http://localhost:8000/v1, on this machine"
    assert destination("https://api.example.com/v1").endswith("https://api.example.com/v1: they leave this machine")


def test_names_that_lead_nowhere_are_one_line():
    waits: list[float] = []
    with pytest.raises(EngineError, match=r"^no server answers at nowhere\.invalid: ") as raised:
        list(engine("http://nowhere.invalid/v1", waits).generate(prompts()[:1], SHORT))
    assert "urllib3" not in str(raised.value)
    assert waits == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ('{"error": {"message": "The model `x` does not exist", "code": 404}}', "The model `x` does not exist"),
        ('{"error": "no such model"}', "no such model"),
        ('{"detail": "Not Found"}', "Not Found"),
        ('{"object": "error", "message": "unknown model", "type": "NotFoundError"}', "unknown model"),
        ("<!doctype html><title>404</title><style>p {}</style><p>No &amp; no", "a web page, 404 No & no"),
        ('{"code": 5}', '{"code": 5}'),
    ],
)
def test_errors_say_what_the_server_says_to_people(server, body, said):
    url, faults = server
    faults.always = (404, body)
    with pytest.raises(EngineError) as raised:
        list(engine(url).generate(prompts()[:1], SHORT))
    assert str(raised.value) == f"{url}/completions refuses: 404 {said}; check the address and --model"


def test_a_circle_of_redirects_ends_at_once(server):
    url, faults = server
    faults.plan = dict.fromkeys(range(1000), (307, {"Location": "/v1/completions"}))
    waits: list[float] = []
    with pytest.raises(EngineError, match=r"^http://127\.0\.0\.1:\d+/v1 redirects in a circle; check the address$"):
        list(engine(url, waits, workers=1).generate(prompts()[:1], SHORT))
    assert waits == []


def test_a_server_without_tls_is_told_as_such(server):
    url, _ = server
    waits: list[float] = []
    with pytest.raises(
        EngineError, match=r"^no TLS with 127\.0\.0\.1:\d+: wrong version number; check the certificate"
    ):
        list(engine(url.replace("http:", "https:"), waits, workers=1).generate(prompts()[:1], SHORT))
    assert waits == []


def test_a_server_that_never_answers_is_waited_for_once():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        waits: list[float] = []
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/v1"
        one = engine(url, waits, workers=1, timeout=0.1)
        with pytest.raises(
            EngineError, match=r"^127\.0\.0\.1:\d+ gives no answer within 0\.1 seconds; check the server$"
        ):
            list(one.generate(prompts()[:1], SHORT))
        assert waits == []


def test_stopping_early_leaves_no_threads(server):
    url, faults = server
    one = engine(url, workers=2)
    next(iter(one.generate(prompts() * 10, SHORT)))
    assert len(faults.seen) < 20
    one.close()


def test_answers_come_in_the_order_of_the_prompts(monkeypatch):
    one, later = engine("http://localhost/v1", workers=2), threading.Event()

    def answer(prompt: str, sampling: Sampling) -> str:
        if prompt == "0":
            assert later.wait(10)
        later.set()
        return prompt

    monkeypatch.setattr(one, "_answer", answer)
    found = list(one.generate([str(row) for row in range(20)], SHORT))
    assert [(one.row, one.value) for one in found] == [(row, str(row)) for row in range(20)]


def test_what_is_skipped_is_not_sent(server):
    url, faults = server
    found = list(engine(url).generate(prompts(), SHORT, skip={0, 2, 3}))
    assert [one.row for one in found] == [1, *range(4, len(prompts()))]
    assert len(faults.seen) == len(prompts()) - 3
    scored = list(engine(url).score(prompts()[:2], [["joy"]] * 2, skip={0}))
    assert [one.row for one in scored] == [1]
