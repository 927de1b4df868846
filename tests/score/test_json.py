"""A script answers the same, to the letter, whether orjson is installed or not."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from scorewright.contract.answer import answer
from scorewright.score.generator import generate
from tests.keras_models import MODELS
from tests.score.scripts import loaded
from tests.score.small_models import boosted_categories, line_without_names, table_of_everything, tree_with_names, words

if TYPE_CHECKING:
    from pathlib import Path

LARGE = [2**53 + 1, 2**63, -(2**63) - 1, 2**64 - 1, 2**64, 10**30, -(10**30), 10**400]
NUMBERS = st.integers(-9, 9) | st.floats() | st.integers(-(2**70), 2**70) | st.sampled_from(LARGE)
TEXTS = st.sampled_from(["Bonn", "Köln", "S", "good", "", "\ud800", "\U0001f600", "2020-01-01", "NaN"]) | st.text(
    max_size=3
)
SCALARS = NUMBERS | TEXTS | st.none() | st.booleans()
KEYS = st.sampled_from(
    ["a", "b", "ü", "age", "city", "street", "since", "member", "size", "rooms", "zone", "rows", "x"]
)
DATA = st.recursive(SCALARS, lambda inside: st.lists(inside, max_size=7) | st.dictionaries(KEYS, inside), max_leaves=12)
ROWS = st.integers(2, 7).flatmap(lambda width: st.lists(st.lists(NUMBERS, min_size=width, max_size=width), min_size=1))
TABLE = st.fixed_dictionaries(
    {
        "age": NUMBERS,
        "city": st.just("Bonn"),
        "street": TEXTS,
        "since": st.just("2020-01-01"),
        "member": st.booleans(),
        "size": SCALARS,
        "rooms": NUMBERS | st.just(1),
        "zone": NUMBERS,
    }
)
REQUESTS = st.fixed_dictionaries(
    {},
    optional={
        "data": DATA | ROWS | TABLE | st.fixed_dictionaries({"size": SCALARS, "zone": SCALARS}),
        "input_data": DATA,
        "method": st.sampled_from(["predict", "x", None]),
        "more": DATA,
    },
)
EDITS = st.lists(
    st.tuples(st.integers(0, 200), st.sampled_from([*'[]{}",:.-+eE01 \t\n', "null", "NaN", "\ufeff", "\x00"]))
)


@st.composite
def raw_requests(draw: st.DrawFn) -> str:
    """The text of a request, or nearly so."""
    text = json.dumps(draw(REQUESTS | DATA), ensure_ascii=draw(st.booleans()))
    for place, inserted in draw(st.just([]) | EDITS):
        text = text[:place] + inserted + text[place + draw(st.integers(0, 2)) :]
    return text


BUILDERS: dict[str, Any] = {
    build.__name__: build
    for build in (tree_with_names, line_without_names, table_of_everything, boosted_categories, words)
}


@pytest.mark.parametrize(
    "kind", [*BUILDERS, *(pytest.param(kind, marks=pytest.mark.keras) for kind in ("tabular", "several", "texts"))]
)
def test_answers_are_the_same_without_orjson(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, sample = BUILDERS[kind]() if kind in BUILDERS else (MODELS[kind](), None)
    bundle = generate(model, sample, name="model", out=tmp_path / "bundle")

    with loaded(bundle) as script:
        module = sys.modules["entry_module"]
        assert module.orjson is not None

        def told(raw: str, reader: Any) -> tuple[int, bytes]:
            monkeypatch.setattr(module, "orjson", reader)
            with np.errstate(all="ignore"):
                found = answer(script.run(raw))
            return found.status, found.body

        orjson = module.orjson

        @given(raw_requests())
        @settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
        @example('{"data": [[1e999, 2, 3]]}')
        @example('{"data": [[NaN, 2, 3]]}')
        @example('{"data": {"size": 100000000000000000000, "zone": 1}}')
        @example('{"data": [[18446744073709551616, 1, 1, 1]]}')
        @example('{"data": [["\\ud800"]]}')
        @example('{"data": ' + "[" * 2000 + "]" * 2000 + "}")
        @example('{"data": [[' + "1" * 5000 + ", 2, 3]]}")
        @example("")
        def holds(raw: str) -> None:
            assert told(raw, orjson) == told(raw, None)

        holds()
