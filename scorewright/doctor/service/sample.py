"""Whether the bundle's sample is answered as its bundle says."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from scorewright.doctor.finding import Check, Outcome, failed, ok, skipped
from scorewright.doctor.words import seconds

if TYPE_CHECKING:
    from scorewright.doctor.service.endpoint import Answered, Endpoint


def look(endpoint: Endpoint) -> Outcome:
    if endpoint.unscored:
        return endpoint.unscored
    bundle = endpoint.bundle
    if bundle is None:
        return skipped("no bundle is named", "Name the one that it serves with --bundle.")
    files = [bundle.path(name) for name in ("sample_request.json", "expected_response.json")]
    if missing := [path.name for path in files if not path.is_file()]:
        return skipped(f"the bundle has no {missing[0]}", "Make it again with `scorewright generate`.")
    answered = endpoint.ask("POST", "/score", files[0].read_bytes(), key=endpoint.key)
    if answered.status in (401, 403):
        if endpoint.key is None:
            return skipped("it asks for a key", "Give it by $SCOREWRIGHT_KEY or --key-file.")
        return failed(f"the key is refused ({answered.status})", "Is it a key of this service, and not replaced since?")
    if answered.status != 200:
        return failed(
            f"it is answered {answered.status}: {_words(answered, endpoint.key)}",
            "Does it serve this bundle? Its log says more; `scorewright check` tries the bundle here.",
        )
    try:
        unlike = endpoint.difference(json.loads(files[1].read_text("utf-8")), json.loads(answered.body))
    except ValueError:
        unlike = "it is no JSON"
    if unlike:
        return failed(
            f"the answer is not the expected one: {unlike}", "It serves another model or version: deploy this bundle."
        )
    return ok(f"it is answered as expected, in {seconds(answered.seconds)}")


def _words(answered: Answered, key: str | None) -> str:
    """What an answer says; a gateway may repeat the key that it was sent."""
    text = answered.body.decode("utf-8", "replace")[:200]
    return text.replace(key, "***") if key else text


CHECK: Check[Endpoint] = Check("sample", "the bundle's sample request and its answer", look)
