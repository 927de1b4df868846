"""From a model and a sample to a bundle."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scorewright.bundle import MANIFEST, NAME_PATTERN, Bundle, Manifest, SampleInfo, hash_files
from scorewright.difference import difference
from scorewright.errors import BundleError, CheckFailedError, OutputExistsError, UsageError
from scorewright.score import openapi, render, requirements
from scorewright.score.batch_context import is_image
from scorewright.score.block import ALONE
from scorewright.score.loader import load_model
from scorewright.score.mixed_requests import mixed_requests
from scorewright.score.rehearsal import rehearse
from scorewright.score.runtime import with_runtime
from scorewright.score.sample import read_sample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from scorewright.score.runtime import Runtime
    from scorewright.score.spec import ModelSpec

EXAMPLE_LENGTH = 96
"""How much of a request or answer the script's docstring shows, in characters."""


def generate(
    model: object,
    sample: object = None,
    *,
    name: str | None = None,
    version: str = "1",
    out: Path | str | None = None,
    method: str | None = None,
    runtime: Runtime = "native",
    force: bool = False,
    allow_version_skew: bool = False,
    trust: Sequence[str] = (),
    on_step: Callable[[str], None] = lambda _: None,
) -> Bundle:
    """Look into a fitted model and write the bundle that serves it.

    model   a path (.joblib, .pkl, .bin, .z, .skops, .keras, .h5, a SavedModel folder) or the fitted object
    sample  rows as the model was fitted on: a path (csv, parquet, npy, npz, json), array, DataFrame or list;
            without one the signature comes from the model and a plausible row is made
    name    the model's name in Azure ML; the file's name, or the class's, if it is left out
    out     the folder to write, ./<name> if it is left out
    method  the default method of the endpoint
    runtime what scores the model: `native`, its own framework; `onnx`, onnxruntime, if the model can be converted
            and was shown to answer the same; `auto`, onnx where that is so, else native
    force   replace a bundle that is there already
    trust   the types that a .skops file may hold besides those that skops itself trusts

    The bundle is built beside `out` and renamed when the generated script has answered the sample, in a
    process of its own, as the model itself does: `out` is never half written.

    Raises ModelError (of the runtime, ConversionError), SampleError, VersionSkewError, OutputExistsError,
    CheckFailedError.
    """
    name = name or _default_name(model)
    if not re.match(NAME_PATTERN, name):
        raise UsageError(
            f"{name!r} is not a name for a model.", hint="Letters, digits, '-', '_' and '.', a letter or digit first."
        )
    target = Path(out or name).absolute()
    _require_free(target, force)
    on_step("loading the model")
    loaded = load_model(model, allow_version_skew=allow_version_skew, trust=trust)
    rows = None if sample is None else read_sample(sample)
    on_step("looking into the model")
    inspect, answers = _inspector(loaded.framework)
    spec: ModelSpec = inspect(loaded, rows, method)
    direct = answers(spec)
    if runtime != "native":
        on_step("converting the model to ONNX and comparing its answers")
        spec = with_runtime(spec, runtime)
    with (
        _folders_above(target),
        tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as beside,
    ):
        folder = Path(beside) / target.name
        folder.mkdir()
        on_step("writing the bundle")
        _write_model(spec, folder)
        request = {"data": spec.sample_data}
        _write(folder / "sample_request.json", _json(request))
        _write_requirements(spec, folder, name)
        _write(folder / "batch_score.py", render.batch_script(spec, name))
        _write(folder / "score.py", render.entry_script(spec, name, ("", "")))
        on_step("rehearsing the script")
        try:
            response = _rehearsed(spec, folder, direct, allow_version_skew)
        except _BatchError:
            if spec.block is None:
                raise
            # The model was measured in this process; that it differs in the script's own must not cost the user more.
            spec = replace(spec, block=None, notes=(*spec.notes, ALONE))
            _write(folder / "score.py", render.entry_script(spec, name, ("", "")))
            response = _rehearsed(spec, folder, direct, allow_version_skew)
        _write(folder / "expected_response.json", _json(response))
        example = (_short(request), _short(response))
        _write(folder / "score.py", render.entry_script(spec, name, example))
        document = openapi.document(
            name, version, spec.info.kind, spec.signature, request, response, largest=spec.largest
        )
        _write(folder / "openapi.json", _json(document, indent=2))
        manifest = _manifest(spec, folder, name, version)
        _write(folder / MANIFEST, manifest.to_json())
        _put(folder, target, Path(beside) / "replaced")
    return Bundle.load(target)


def _inspector(framework: str) -> tuple[Callable[..., ModelSpec], Callable[[ModelSpec], dict[str, Any]]]:
    if framework == "keras":
        from scorewright.score import keras_model

        return keras_model.inspect, keras_model.answers
    from scorewright.score import sklearn_model

    return sklearn_model.inspect, sklearn_model.answers


def _default_name(model: object) -> str:
    if isinstance(model, str | Path):
        stem = re.sub(r"[^a-zA-Z0-9\-\._]+", "-", Path(model).name.split(".")[0]).strip("-._")
        return stem or "model"
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+", type(model).__name__)
    return "-".join(words).lower() or "model"


def _require_free(target: Path, force: bool) -> None:
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return
    if not force:
        raise OutputExistsError(f"{target} exists already.")
    if not (target / MANIFEST).is_file():
        raise OutputExistsError(
            f"{target} exists and is not a bundle: --force replaces bundles only.",
            hint="Choose another folder with --out.",
        )


@contextmanager
def _folders_above(target: Path) -> Iterator[None]:
    """Make them, and remove those made again if what is done in them fails."""
    made = [folder for folder in target.parents if not folder.exists()]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BundleError(f"{target} cannot be written: {error.strerror}.", hint="Choose another --out.") from None
    if not os.access(target.parent, os.W_OK):
        raise BundleError(f"{target} cannot be written: {target.parent} is read-only.", hint="Choose another --out.")
    try:
        yield
    except BaseException:
        with suppress(OSError):  # somebody else may have put something into them
            for folder in made:
                folder.rmdir()
        raise


def _put(folder: Path, target: Path, aside: Path) -> None:
    """Rename the finished bundle into its place; the one it replaces goes with the temporary folder."""
    if target.exists():
        target.rename(aside)
    try:
        folder.rename(target)
    except OSError as error:
        if aside.exists():
            aside.rename(target)
        raise BundleError(f"{target} cannot be written: {error.strerror}.", hint="Choose another --out.") from None


def _write_model(spec: ModelSpec, folder: Path) -> None:
    path = folder / spec.info.path
    path.parent.mkdir(parents=True)
    source = spec.model.source
    if spec.converted:
        path.write_bytes(spec.converted.content)
    elif source is None and spec.model.framework == "keras":
        spec.model.value.save(path)  # type: ignore[attr-defined]
    elif source is None:
        import joblib

        joblib.dump(spec.model.value, path)
    elif source.is_dir():
        shutil.copytree(source, path)
    else:
        shutil.copyfile(source, path)
    for helper in spec.helpers:
        if helper.is_dir():
            shutil.copytree(helper, folder / helper.name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(helper, folder / helper.name)


def _write_requirements(spec: ModelSpec, folder: Path, name: str) -> None:
    lines = requirements.requirements(spec.versions)
    _write(folder / "requirements.txt", "".join(f"{line}\n" for line in lines))
    extra = requirements.batch_requirements(spec.versions, images=is_image(spec.signature))
    _write(folder / "requirements-batch.txt", "".join(f"{line}\n" for line in ["-r requirements.txt", *extra]))
    _write(folder / "conda.yaml", requirements.conda(name, spec.versions, lines))


class _BatchError(CheckFailedError):
    """run_many() does not do what run() does."""


def _rehearsed(spec: ModelSpec, folder: Path, direct: dict[str, Any], allow_version_skew: bool) -> Any:
    """The default method's answer, after the script, in a process of its own, has answered as the model itself does."""
    default = spec.signature.default_method
    methods = [default, *(method for method in spec.signature.methods if method != default)]
    requests = [json.dumps({"data": spec.sample_data, "method": method}) for method in methods]
    requests[0] = json.dumps({"data": spec.sample_data})
    requests += mixed_requests(spec.signature, spec.sample_data)
    answers: list[Any] = []
    for step in rehearse(folder, folder, requests, None, allow_version_skew=allow_version_skew):
        words = step.error
        for method, (status, body) in zip(methods, step.result or [], strict=False):
            if not words and status != 200:
                words = f"the sample was answered {status}: {body}"
            elif not words and (unlike := difference({method: direct[method]}, body)):
                words = f"the script does not answer as the model itself does: {unlike}"
        if words:
            printed = f"\nThe process printed:\n{step.output}" if step.output else ""
            raise (_BatchError if step.name == "run_many" else CheckFailedError)(
                f"The generated script fails at {step.name}: {words}{printed}",
                hint=step.hint or "Nothing was written. Give a --sample of rows as the model was fitted on.",
            )
        if step.name == "run":
            answers = step.result
    return answers[0][1]


def _manifest(spec: ModelSpec, folder: Path, name: str, version: str) -> Manifest:
    older = tuple(
        f"The model was saved by {package} {made_with}; this bundle is made for {package} {spec.versions[package]}."
        for package, made_with in spec.model.trained_with.items()
        if made_with != spec.versions.get(package, made_with)
    )
    return Manifest(
        name=name,
        version=version,
        generator=render.GENERATOR,
        framework=spec.model.framework,
        runtime=spec.runtime,
        parity=spec.converted.parity if spec.converted else None,
        model=spec.info,
        versions=spec.versions,
        signature=spec.signature,
        block=spec.block,
        sample=SampleInfo(source="made" if spec.sample_made else "given", rows=spec.sample_rows),
        notes=spec.notes + older,
        files=hash_files(folder),
    )


def _json(value: object, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent) + "\n"


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=True).replace("\\", "\\\\").replace('"""', "...")
    return text if len(text) <= EXAMPLE_LENGTH else text[: EXAMPLE_LENGTH - 2].rstrip("\\") + " …"


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
