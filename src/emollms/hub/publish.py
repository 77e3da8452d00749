"""Publishing a data set, a model or a Space: one call that plans, and pushes where that is wanted."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Literal, get_args

from emollms.dataset.manifest import parse_version
from emollms.errors import UsageError
from emollms.hub.dataset import dataset_release
from emollms.hub.ids import write_ids
from emollms.hub.plan import Plan, PushOptions, make_plan, versioned
from emollms.hub.push import push
from emollms.hub.release import Release
from emollms.hub.repo import Gated, Remote
from emollms.locations import check_file, check_folder
from emollms.network import refuse_offline, require_hub
from emollms.progress import OnProgress, show_progress

PublishedKind = Literal["dataset", "model", "space", "answers"]
"""What can be published; answers are a data set on the Hub."""
GgufType = Literal["f32", "f16", "bf16", "q8_0"]
"""Types of the numbers of a GGUF file."""


def publish(
    kind: PublishedKind,
    folder: Path | str,
    repo: str | None = None,
    *,
    version: str | None = None,
    yes: bool = False,
    expect_head: str | None = None,
    delete: bool = False,
    public: bool = False,
    gated: Gated | None = None,
    allow_older: bool = False,
    ids_only: bool = False,
    out: Path | str | None = None,
    scores: Sequence[Path | str] = (),
    calibration: Path | str | None = None,
    license: str | None = None,
    data_repo: str | None = None,
    benchmark_repo: str | None = None,
    gguf: GgufType | None = None,
    converter: Path | str | None = None,
    data: Path | str | None = None,
    progress: bool | OnProgress = False,
    on_plan: Callable[[Plan], None] = lambda plan: None,
    on_step: Callable[[str], None] = lambda step: None,
) -> Plan:
    """Publish to the Hub, all or nothing: in one commit that is verified, loaded back, and tagged.

    The token is that of `hf auth login`, or `HF_TOKEN`. Options of another kind are refused.

    Args:
        kind: `dataset`, `model`, `space` or `answers`.
        folder: a built data set or the id-only form of one; a merged model or a run; what `emollms space` or
            `emollms leaderboard-page` wrote; for answers a folder of `emollms evaluate`.
        repo: `OWNER/NAME`; it is created, private, if it does not exist.
        version: `X.Y.Z`, tagged `vX.Y.Z`. A data set has the one that it was built as. Without one, anything else
            keeps its published version while it is unchanged; a changed card raises the last number, anything else the
            one before; the first is 1.0.0.
        yes: do it; else it is only planned.
        expect_head: do nothing unless the repo is at this commit.
        delete: delete files of the repo that are not of this version.
        public: make the repo public, as the last step.
        gated: others must ask for access: `auto` or `manual`; not for Spaces.
        allow_older: let the repo go back to a version that is older than the one it holds.
        ids_only: of a data set: ids and hashes of the rows instead of the rows.
        out: with `ids_only`: keep what is made there.
        scores: of a model: folders of `emollms evaluate`.
        calibration: of a model: file of `emollms calibrate`; None for the one in its folder, where there is one.
        license: of a model: its licence, as the Hub names it, where it does not follow from its parts.
        data_repo: of a model: the data that it was tuned on, on the Hub.
        benchmark_repo: of a model: the benchmark on the Hub that scores of a folder are of, `OWNER/NAME[@REVISION]`;
            they come into its leaderboard.
        gguf: of a model: add it as GGUF, in numbers of this type.
        converter: with `gguf`: `convert_hf_to_gguf.py` of a llama.cpp checkout.
        data: of answers: the benchmark that was evaluated, a folder or a repo, if it is not where the run found it.
        progress: whether to show progress on stderr, or a function to call with it.
        on_plan: called with the plan before anything is sent.
        on_step: called with each step that is done.

    Returns:
        The plan; where it was pushed, with the commit that holds the version.

    Raises:
        UsageError: an option is wrong, or there is nothing to publish in the folder.
        EmollmsError: it may not be published, or publishing failed; the message says in which state the repo is.
        KeyboardInterrupt: it was interrupted while it was sent; the message says in which state the repo is.
    """
    _check_options(kind, gated, gguf)
    _refuse_options(kind, "dataset", {"--ids-only": ids_only, "--out": out})
    _refuse_options(
        kind, "model", {"--scores": scores, "--calibration": calibration, "--license": license,
                        "--data-repo": data_repo, "--benchmark-repo": benchmark_repo, "--gguf": gguf,
                        "--converter": converter},
    )  # fmt: skip
    _refuse_options(kind, "answers", {"--data": data})
    if out and not ids_only:
        raise UsageError("--out goes with --ids-only")
    if converter and not gguf:
        raise UsageError("--converter goes with --gguf")
    if not repo:
        raise UsageError("--repo is missing: the repo to publish to, OWNER/NAME")
    remote, place = Remote(repo, "dataset" if kind == "answers" else kind), Path(folder)
    if version:
        parse_version(version)
    for each in (place, *map(Path, scores)):
        check_folder(each)
    for file in (calibration, converter):
        check_file(Path(file) if file else None)
    refuse_offline()
    with (
        tempfile.TemporaryDirectory(prefix="emollms-") as name,
        show_progress("steps", "reading the files and the repo", progress) as on_progress,
    ):
        scratch = Path(name)
        if kind == "dataset":
            if ids_only:
                place = Path(out) if out else scratch / "ids"
                write_ids(Path(folder), place)
            release = dataset_release(place, version)
            require_hub()
        else:
            if kind == "model":
                from emollms.hub.model import check_model

                check_model(place, [Path(each) for each in scores])
            require_hub()  # before weights are hashed or converted, which takes minutes
            if kind == "model":
                make = _model(remote, place, scores, calibration, license, data_repo, benchmark_repo, gguf, converter,
                              scratch)  # fmt: skip
            elif kind == "answers":
                from emollms.hub.answers import answer_releases

                make = answer_releases(place, repo, scratch, str(data) if data else None)
            else:
                from emollms.hub.space import space_releases

                make = space_releases(place)
            release = make(version) if version else versioned(make, remote)
        options = PushOptions(expect_head, delete, public, gated, allow_older)
        plan = make_plan(release, remote, options)
        on_plan(plan)
        if not yes:
            return plan
        on_progress("sending files", 0, None)
        numbers = count(1)

        def finish_step(step: str) -> None:
            on_step(step)
            on_progress(f"publishing; the last step: {step}", next(numbers), None)

        return push(plan, remote, options, finish_step)


def _check_options(kind: str, gated: str | None, gguf: str | None) -> None:
    choices = (("kind", kind, PublishedKind), ("--gated", gated, Gated), ("--gguf", gguf, GgufType))
    for name, value, known in choices:
        if value is not None and value not in get_args(known):
            raise UsageError(f"{name} {value!r} is unknown; choose one of {', '.join(get_args(known))}")
    if kind == "space" and gated:
        raise UsageError("a Space cannot be gated; leave out --gated")


def _refuse_options(kind: PublishedKind, owner: PublishedKind, options: Mapping[str, object]) -> None:
    """Refuse options of one kind that are given with another."""
    if kind != owner and (given := [name for name, value in options.items() if value]):
        named = {one: f"a {one}" for one in ("dataset", "model", "space")}
        raise UsageError(f"{', '.join(given)}: only for {named.get(owner, owner)}, and this is {named.get(kind, kind)}")


def _model(
    remote: Remote,
    folder: Path,
    scores: Sequence[Path | str],
    calibration: Path | str | None,
    license: str | None,
    data_repo: str | None,
    benchmark_repo: str | None,
    gguf: GgufType | None,
    converter: Path | str | None,
    scratch: Path,
) -> Callable[[str], Release]:
    """A function that makes the release of a model under a version; see `publish`."""
    from emollms.hub.gguf import convert  # what a data set does not need
    from emollms.hub.model import ModelOptions, model_releases

    if license:
        remote.check_license(license)
    extra = [convert(folder, gguf, scratch, Path(converter) if converter else None)] if gguf else []
    known = ModelOptions(
        tuple(map(Path, scores)),
        Path(calibration) if calibration else None,
        license,
        data_repo,
        benchmark_repo,
        tuple(extra),
    )
    return model_releases(folder, remote.repo, known)
