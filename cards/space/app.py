"""A demo: type a text, choose what is asked of it, and see what the model says and how sure it is.

`space.json` beside this file says which model is asked, and what can be asked of it; `emollms/`, also beside it,
is the part of the emollms package that puts the questions and reads the answers. Run it: `python app.py`.
"""

import html
import json
from pathlib import Path

import gradio as gr

from emollms.errors import EmollmsError
from emollms.inference.classifiers import heads_of
from emollms.inference.decoding import decode
from emollms.inference.heads import text_of
from emollms.inference.loading import load, load_classifier
from emollms.inference.predictions import Prediction
from emollms.prompts.template import prompt
from emollms.tasks import OrdinalTask, RegressionTask, Task, get_task

SETTINGS = json.loads(Path(__file__).with_name("space.json").read_text(encoding="utf-8"))
TASKS = {f"{name}: {get_task(name).about}": get_task(name) for name in SETTINGS["tasks"]}
FIRST = next(iter(TASKS))
LONGEST = 1000  # characters: what is longer would keep others waiting
EXAMPLES = (
    "They cancelled my train again and nobody at the station could say why!",
    "Our little team won the cup, and half the town came out to sing.",
    "The house is so quiet since she moved out.",
    "Something scratched at the cellar door the whole night.",
    "The meeting was moved from ten to eleven.",
)
STYLE = """
.answer { font-size: 1.35rem; font-weight: 600; margin: 0 0 .9rem; }
.answer small { display: block; font-size: .9rem; font-weight: 400; opacity: .75; }
.bar { display: grid; grid-template-columns: minmax(6rem, 40%) 1fr 3.5rem; gap: .6rem; align-items: center; }
.bar + .bar { margin-top: .35rem; }
.bar .name { text-align: right; overflow-wrap: anywhere; }
.bar .track { height: .8rem; border-radius: .4rem; background: var(--border-color-primary); overflow: hidden; }
.bar .fill { height: 100%; border-radius: .4rem; background: var(--color-accent); }
.bar .share { font-variant-numeric: tabular-nums; }
.bar.best .name { font-weight: 600; }
footer { display: none !important; }
"""
THEME = gr.themes.Soft(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])

MODEL, REVISION = SETTINGS["model"], SETTINGS["revision"]
heads = heads_of(f"{MODEL}@{REVISION}" if REVISION else MODEL)
"""What the outputs of a classifier answer; None for a model that writes its answers."""
classifier = load_classifier(MODEL, revision=REVISION, outputs=heads)[0] if heads else None
engine = None if heads else load(MODEL, revision=REVISION)


def emotions(chosen: str) -> gr.Dropdown:
    """The choice of an emotion, where the task has them."""
    known = list(TASKS[chosen].emotions)
    return gr.Dropdown(choices=known, value=known[0] if known else None, visible=bool(known))


def ask(text: str, chosen: str, emotion: str | None) -> str:
    """What the model says of a text, as HTML."""
    task = TASKS[chosen]
    if not text.strip():
        raise gr.Error("Type a text first.")
    if len(text) > LONGEST:
        raise gr.Error(f"The text has {len(text):,} characters; this demo reads up to {LONGEST:,}.")
    emotion = emotion if task.emotions else None
    row = {"id": "text", "text": text, "prompt": prompt(task, text, 0, emotion), "emotion": emotion}
    try:
        said = answered(task, row)
    except EmollmsError as error:
        raise gr.Error(str(error)) from error
    return shown(task, emotion, said)


def answered(task: Task, row: dict[str, str | None]) -> Prediction:
    """What the model says."""
    if heads and classifier:
        (read,) = classifier.read([text_of(task, row)])
        return heads.prediction(task, row, read.outputs)
    return next(iter(decode(engine, task, [row])))


def shown(task: Task, emotion: str | None, said: Prediction) -> str:
    """An answer, and a bar for each alternative."""
    shares = dict(said.probabilities or {})
    if isinstance(task, RegressionTask):
        score = float(said.answer)
        native = task.from_unit(score)
        scale = f"{native:.2f} on the scale of the data, {task.low:g} to {task.high:g}"
        sure = ". How sure: by the first digits of the score" if shares else ""
        head, note = f"{score:.3f}", f"expected score on 0 to 1; {scale}{sure}"
        names = {name: name for name in shares}
    elif isinstance(task, OrdinalTask):
        head, note = said.answer, "the likeliest class"
        names = {name: task.class_label(int(name), emotion) for name in shares}
    else:
        limits = heads and heads.thresholds(task)
        head, note = said.answer, f"all labels {'from their thresholds on' if limits else 'that are likelier than not'}"
        names = {name: name for name in shares}
    best = max(shares, key=lambda name: shares[name], default=None)
    bars = "".join(bar(names[name], share, name == best) for name, share in shares.items())
    return f'<p class="answer">{html.escape(head)}<small>{html.escape(note)}</small></p>{bars}'


def bar(name: str, share: float, is_best: bool) -> str:
    """A bar with its name and share."""
    percent = f"{share:.1%}"
    return (
        f'<div class="bar{" best" if is_best else ""}" role="img" aria-label="{html.escape(name)}: {percent}">'
        f'<span class="name">{html.escape(name)}</span><span class="track">'
        f'<div class="fill" style="width: {percent}"></div></span><span class="share">{percent}</span></div>'
    )


with gr.Blocks(title=SETTINGS["title"], analytics_enabled=False) as demo:
    gr.Markdown(
        f"# {SETTINGS['title']}\nWhat does a text feel like? Asked of [{SETTINGS['model']}]"
        f"(https://huggingface.co/{SETTINGS['model']}) at {SETTINGS['revision']}. It can be wrong, and it knows "
        "neither who wrote a text nor why: use it on no person's words to decide about that person."
    )
    with gr.Row():
        with gr.Column():
            words = gr.Textbox(label="Text", lines=4, max_length=LONGEST, placeholder="Type or paste a text")
            question = gr.Dropdown(list(TASKS), value=FIRST, label="Question")
            feeling = gr.Dropdown(
                list(TASKS[FIRST].emotions),
                value=next(iter(TASKS[FIRST].emotions), None),
                visible=bool(TASKS[FIRST].emotions),
                label="Emotion or dimension",
            )
            button = gr.Button("Ask", variant="primary")
        with gr.Column():
            result = gr.HTML(label="Answer", elem_id="result")
    gr.Examples([[text] for text in EXAMPLES], inputs=[words])
    question.change(emotions, question, feeling)
    gr.on([button.click, words.submit], ask, [words, question, feeling], result, api_name="ask")

if __name__ == "__main__":
    demo.queue(max_size=32).launch(theme=THEME, css=STYLE)
