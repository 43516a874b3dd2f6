"""The control API as methods, one for each route; what they return is what the API answers.

Every method raises our own errors with the server's sentence: ``NotFoundError``, ``RequestError``,
``RefusedError``, ``Overloaded``, ``EngineStopped``, and ``EngineUnreachable`` when nobody answers.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

from actors.client.wire import Plain, Wire, encoded
from actors.errors import NotFoundError, RequestError

WAIT_S = 1.0
"""So long one request waits at the server; a longer wait asks again, and can be broken off between."""
LEAST_WAIT_S = 0.05
"""In less than that the server could not find out."""
QUIET_S = 0.5
"""When none has come for so long, there are no further changes for now."""
PAGE = 500


class Client:
    """One engine, by the path of its socket. Any number of threads may use it."""

    def __init__(self, socket: str | Path) -> None:
        self.socket = Path(socket)
        self._wire = Wire(self.socket)
        self._stopped = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._stopped.set()
        self._wire.interrupt()

    def interrupt(self) -> None:
        """Have waits and streams under way end, from any thread or a signal handler; ``go_on`` ends that."""
        self._stopped.set()
        self._wire.interrupt()

    def go_on(self) -> None:
        self._stopped.clear()
        self._wire.go_on()

    @property
    def interrupted(self) -> bool:
        return self._stopped.is_set()

    def pause_for(self, seconds: float) -> bool:
        """Sleep; true if ``interrupt`` cut it short."""
        return self._stopped.wait(seconds)

    # --- events, entities, starts ----------------------------------------------------------------

    def publish(self, event: Mapping[str, Any]) -> Plain:
        return self._wire.ask("POST", "/v1/events", event)

    def publish_lines(self, events: Iterable[Mapping[str, Any]]) -> Plain:
        """Publish many; return how many were accepted and the first that were not."""
        return self._wire.upload("/v1/events/batch", (encoded(event) + b"\n" for event in events))

    def put(self, entity: str, fields: Mapping[str, Any]) -> Plain:
        try:
            part = _part(entity)
        except NotFoundError:
            raise RequestError(
                f"an entity's id is text of 1 to 200 printable characters without '/', not '{entity[:80]}'"
            ) from None
        return self._wire.ask("PUT", f"/v1/entities/{part}", fields)

    def run(self, workflow: str, entity: str, params: Mapping[str, Any] | None) -> Plain:
        return self._wire.ask("POST", "/v1/instances", {"workflow": workflow, "entity_id": entity, "params": params})

    # --- reading ---------------------------------------------------------------------------------

    def version(self) -> Plain:
        return self._wire.ask("GET", "/v1/version")

    def health(self) -> Plain:
        return self._wire.ask("GET", "/v1/health")

    def stats(self) -> Plain:
        return self._wire.ask("GET", "/v1/stats")

    def queues(self) -> list[Plain]:
        return self._items("/v1/queues")

    def agents(self) -> list[Plain]:
        return self._items("/v1/agents")

    def actors(self) -> list[Plain]:
        return self._items("/v1/actors")

    def settings(self) -> list[Plain]:
        return self._items("/v1/settings")

    def workflows(self) -> list[Plain]:
        return self._items("/v1/definitions")

    def workflow(self, id: str) -> Plain:
        return self._wire.ask("GET", f"/v1/definitions/{_part(id)}")

    def dead_letters(self) -> list[Plain]:
        return self._items("/v1/dead-letters")

    def entities(self, limit: int | None, **wanted: Any) -> tuple[list[Plain], bool]:
        """At most so many, and whether there are more; None: all there are."""
        return self._paged("/v1/entities", limit, wanted)

    def instances(self, limit: int | None, **wanted: Any) -> tuple[list[Plain], bool]:
        return self._paged("/v1/instances", limit, wanted)

    def tasks(self, limit: int | None, **wanted: Any) -> tuple[list[Plain], bool]:
        return self._paged("/v1/tasks", limit, wanted)

    def entity(self, id: str) -> Plain:
        return self._wire.ask("GET", f"/v1/entities/{_part(id)}")

    def instance(self, id: str) -> Plain:
        return self._wire.ask("GET", f"/v1/instances/{_part(id)}")

    def task(self, id: str) -> Plain:
        return self._wire.ask("GET", f"/v1/tasks/{_part(id)}")

    def why(self, task: str) -> Plain:
        return self._wire.ask("GET", f"/v1/tasks/{_part(task)}/why")

    # --- steering --------------------------------------------------------------------------------

    def cancel(self, id: str) -> Plain:
        return self._wire.ask("POST", "/v1/cancel", {"id": id})

    def retry(self, id: str) -> Plain:
        return self._wire.ask("POST", f"/v1/instances/{_part(id)}/retry")

    def set_priority(self, id: str, priority: int) -> Plain:
        return self._wire.ask("POST", "/v1/priority", {"id": id, "priority": priority})

    def pause(self, workflow: str | None) -> Plain:
        return self._wire.ask("POST", "/v1/pause", {"workflow": workflow})

    def resume(self, workflow: str | None) -> Plain:
        return self._wire.ask("POST", "/v1/resume", {"workflow": workflow})

    def drain(self, agent: str) -> Plain:
        return self._wire.ask("POST", f"/v1/agents/{_part(agent)}/drain")

    def undrain(self, agent: str) -> Plain:
        return self._wire.ask("POST", f"/v1/agents/{_part(agent)}/undrain")

    def resolve(self, task: str, outcome: str) -> Plain:
        return self._wire.ask("POST", f"/v1/tasks/{_part(task)}/resolve", {"outcome": outcome})

    def retry_dead_letter(self, id: int) -> Plain:
        return self._wire.ask("POST", f"/v1/dead-letters/{id}/retry")

    def drop_dead_letter(self, id: int) -> Plain:
        return self._wire.ask("DELETE", f"/v1/dead-letters/{id}")

    def reload(self) -> Plain:
        return self._wire.ask("POST", "/v1/definitions/reload")

    # --- waiting ---------------------------------------------------------------------------------

    def wait(self, instance: str, seconds: float | None) -> Plain:
        """Wait for its end, or an unknown outcome; return it. Raises ``TimeoutError``."""
        path = f"/v1/instances/{_part(instance)}/wait"
        told = self._ask_until("ended", "GET", path, seconds)
        found: Plain = told["instance"]
        if not told["ended"]:
            raise TimeoutError(f"{instance} is still {found['status']} after {seconds:g} s")
        return found

    def wait_idle(self, seconds: float | None) -> None:
        """Wait until nothing accepted is left undone. Raises ``TimeoutError``."""
        if not self._ask_until("idle", "POST", "/v1/wait-idle", seconds)["idle"]:
            raise TimeoutError(f"still at work after {seconds:g} s; 'queues' and 'agents' say with what")

    def _ask_until(self, key: str, method: str, path: str, seconds: float | None) -> Plain:
        end = None if seconds is None else time.monotonic() + seconds
        while True:
            part = WAIT_S if end is None else min(WAIT_S, max(LEAST_WAIT_S, end - time.monotonic()))
            told = self._wire.ask(method, path, query={"timeout_s": round(part, 3)})
            if told[key] or (end is not None and time.monotonic() >= end):
                return told
            if self.interrupted:
                raise KeyboardInterrupt

    # --- streams, and the actors themselves ------------------------------------------------------

    def changes(
        self,
        *,
        types: Sequence[str] = (),
        of: str | None = None,
        workflow: str | None = None,
        since: str | None = None,
        follow: bool,
    ) -> Iterator[tuple[str | None, Plain]]:
        """State changes, each with the id to go on after; with ``follow`` those to come, until ``interrupt``."""
        query = {"type": ",".join(types) or None, "for": of, "workflow": workflow}
        quiet_s = None if follow else QUIET_S
        for id_, _, change in self._wire.stream("/v1/changes", query=query, last_id=since, quiet_s=quiet_s):
            yield id_, change

    def tap(self, actor: str) -> Iterator[Plain]:
        """An actor's messages as it takes them, until ``interrupt``."""
        for _, _, message in self._wire.stream(f"/v1/actors/{_part(actor)}/tap"):
            yield message

    def protocol(self, actor: str) -> list[Plain]:
        return self._items(f"/v1/actors/{_part(actor)}/protocol")

    def inspect(self, actor: str) -> Plain:
        return self._wire.ask("GET", f"/v1/actors/{_part(actor)}/inspect")

    def send(self, actor: str, message: str, fields: Mapping[str, Any], *, unsafe: bool) -> Plain:
        body = {"message": message, "fields": fields, "unsafe": unsafe}
        return self._wire.ask("POST", f"/v1/actors/{_part(actor)}/send", body)

    # ---------------------------------------------------------------------------------------------

    def _items(self, path: str) -> list[Plain]:
        found: list[Plain] = self._wire.ask("GET", path)["items"]
        return found

    def _paged(self, path: str, limit: int | None, wanted: Mapping[str, Any]) -> tuple[list[Plain], bool]:
        found: list[Plain] = []
        cursor: str | None = None
        while True:
            size = PAGE if limit is None else min(PAGE, limit - len(found))
            page = self._wire.ask("GET", path, query={**wanted, "limit": size, "cursor": cursor})
            found += page["items"]
            cursor = page.get("next_cursor")
            if cursor is None or (limit is not None and len(found) >= limit) or self.interrupted:
                return found, cursor is not None


def _part(name: str) -> str:
    """A name as one part of a path, whatever it is made of."""
    if name in ("", ".", ".."):
        # No route has such a part, and a path would be made shorter by it.
        raise NotFoundError(f"there is nothing called '{name}'")
    if "/" in name:
        raise NotFoundError(f"there is nothing called '{name[:80]}', since no name has a '/'")
    return quote(name, safe="", errors="surrogateescape")
