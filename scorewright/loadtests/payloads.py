"""The requests of a load test with their right answers, asked for one at a time before there is any load."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from scorewright.errors import LoadTestError, UsageError
from scorewright.loadtests.answers import differs, joined
from scorewright.loadtests.endpoint import refused
from scorewright.loadtests.plan import Payload
from scorewright.loadtests.rows import SEED, Rows, read_requests

if TYPE_CHECKING:
    from pathlib import Path

    from scorewright.bundle import Bundle
    from scorewright.loadtests.endpoint import Answered, Endpoint

ROWS = 32
"""How many different rows there are."""
REQUESTS = 8
"""How many different requests of several rows, for each number of rows."""
_MOST_BYTES = 16_000_000


@dataclass
class Payloads:
    """Makes requests, and learns the right answers from the endpoint itself while nobody else asks it.

    Each row is asked about alone; a request of several rows must be answered as its rows were, in their order. So an
    answer that has another's rows, or its own in another order, is seen to be wrong.
    """

    endpoint: Endpoint
    rows: Rows | None
    """None: the requests are of a form whose rows are not known."""
    requests: tuple[str, ...]
    """The requests as they were given: the bundle's sample, or those of a file."""
    check: bool = True
    """Whether there is one right answer to a request."""
    expected: Any = None
    """What the first of the requests must answer, as the bundle has it; None is not known."""
    server: dict[str, str] = field(default_factory=dict)
    """The headers of the first answer."""
    _alone: list[tuple[Any, Any, Payload]] = field(default_factory=list)

    @classmethod
    def of_bundle(cls, bundle: Bundle, endpoint: Endpoint, *, check: bool) -> Payloads:
        """Requests like a bundle's sample, which must be answered as the bundle says."""
        sample = json.dumps(bundle.json("sample_request.json"))
        expected = bundle.json("expected_response.json") if "expected_response.json" in bundle.manifest.files else None
        return cls(endpoint, Rows.of_bundle(bundle), (sample,), check, expected if check else None)

    @classmethod
    def of_file(cls, path: Path, endpoint: Endpoint, *, check: bool) -> Payloads:
        """Requests like those of a file. Raises UsageError if it has none."""
        requests = read_requests(path)
        taken = [Rows.of_request(json.loads(request)) for request in requests]
        first = taken[0]
        rows = None
        if first is not None and all(one is not None and one.place == first.place for one in taken):
            rows = Rows(first.around, first.place, tuple(row for one in taken if one for row in one.rows), first.texts)
        return cls(endpoint, rows, tuple(requests), check)

    def try_first(self) -> None:
        """Ask the first request, twice. Raises LoadTestError if it is refused, or not answered as it must be."""
        first, again = (self._ask(self.requests[0]) for _ in range(2))
        self.server = first.headers
        if not self.check:
            return
        answer = self._parsed(first)
        if self.expected is not None and (words := differs(self.expected, answer)):
            raise LoadTestError(
                f"{self.endpoint.shown} does not answer the bundle's sample as the bundle says: {words}.",
                hint="Give the bundle that it serves.",
            )
        if words := differs(answer, self._parsed(again)):
            raise LoadTestError(
                f"{self.endpoint.shown} answers the same request otherwise the second time: {words}.",
                hint="If that is as it should be, give --no-check-answers: then only the status is looked at.",
            )

    def of_size(self, count: int) -> tuple[Payload, ...]:
        """Requests of so many rows. Raises LoadTestError if the endpoint refuses them or answers a row otherwise."""
        if self.rows is None:
            if count != 1:
                raise UsageError(
                    'The requests of --request are not of the form {"data": rows}: no others can be made of them.',
                    hint="Leave --rows out and ask for --scenario realtime: each request is sent as it is.",
                )
            return tuple(self._given(request) for request in self.requests)
        if not self._alone:
            self._ask_alone(self.rows)
        if count == 1:
            return tuple(payload for _, _, payload in self._alone)
        chance = random.Random(SEED)  # noqa: S311  # no secret: the same requests each time
        size = count * sum(len(payload.body) for _, _, payload in self._alone) // len(self._alone)
        number = max(2, min(REQUESTS, _MOST_BYTES // size))
        return tuple(self._together(self.rows, chance.choices(self._alone, k=count)) for _ in range(number))

    def _ask_alone(self, rows: Rows) -> None:
        last: Answered | None = None
        for row in rows.varied(ROWS):
            request = rows.request([row])
            answered = self.endpoint.score(request)
            if answered.status in (400, 422, 424):
                last = answered  # not every model takes every row that is put together from others
                continue
            if answered.status != 200:
                raise refused(answered, self.endpoint)
            answer = self._parsed(answered) if self.check else None
            self._alone.append((row, answer, Payload(request, 1, answered.body.decode() if self.check else None)))
        if not self._alone and last is not None:
            raise refused(last, self.endpoint)

    def _together(self, rows: Rows, chosen: list[tuple[Any, Any, Payload]]) -> Payload:
        request = rows.request([row for row, _, _ in chosen])
        answered = self._ask(request)
        if not self.check:
            return Payload(request, len(chosen), None)
        wanted = joined([answer for _, answer, _ in chosen])
        if wanted is not None and (words := differs(wanted, self._parsed(answered))):
            raise LoadTestError(
                f"{self.endpoint.shown} answers {len(chosen)} rows otherwise than each alone: {words}.",
                hint="If that is as it should be, give --no-check-answers: then only the status is looked at.",
            )
        return Payload(request, len(chosen), answered.body.decode())

    def _given(self, request: str) -> Payload:
        answered = self._ask(request)
        if self.check:
            self._parsed(answered)
        return Payload(request, 1, answered.body.decode() if self.check else None)

    def _ask(self, request: str) -> Answered:
        answered = self.endpoint.score(request)
        if answered.status != 200:
            raise refused(answered, self.endpoint)
        return answered

    def _parsed(self, answered: Answered) -> Any:
        try:
            return json.loads(answered.body)
        except ValueError:
            raise LoadTestError(
                f"{self.endpoint.shown} does not answer with JSON: "
                f"{' '.join(answered.body[:100].decode('utf-8', 'replace').split())}.",
                hint="Give the URL of a scoring route, or --no-check-answers.",
            ) from None
