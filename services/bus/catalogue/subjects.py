"""The schema registry's administration: what is registered, and registering. The only place that registers schemas."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from confluent_kafka.schema_registry import Schema as RegistrySchema
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

from services.bus.catalogue.changes import RegisterSchema, SetCompatibility
from services.bus.catalogue.diff import SubjectState
from services.bus.catalogue.model import Catalogue, Topic
from services.bus.contract import Schema
from services.bus.errors import NotPermitted, SafebusError, Surroundings, UserMistake

_AT_ONCE: Final = 6
_T = TypeVar("_T")


class Subjects:
    """A Confluent-compatible registry at `url`."""

    def __init__(self, url: str) -> None:
        self._url = url
        try:
            self._client = SchemaRegistryClient({"url": url, "timeout": 30, "max.retries": 1})
        except ValueError:
            raise UserMistake(f"{url!r} is not the address of a registry; check SAFEBUS_REGISTRY_URL") from None

    def states(self, catalogue: Catalogue, schemas: Mapping[str, Schema]) -> dict[str, SubjectState]:
        """Every subject of the catalogue as the registry has it, by subject.

        Raises:
            Surroundings: the registry does not answer.
            NotPermitted: it refuses us.
        """
        self._client.clear_caches()  # somebody else may have registered since we last asked
        known = set(self._asked(self._client.get_subjects))

        def state(topic: Topic) -> SubjectState:
            return self._state(topic.subject, topic.subject in known, schemas[topic.name])

        topics = catalogue.topics.values()
        with ThreadPoolExecutor(_AT_ONCE) as several:
            return {topic.subject: found for topic, found in zip(topics, several.map(state, topics), strict=True)}

    def _state(self, subject: str, known: bool, schema: Schema) -> SubjectState:
        level = self._if_any(lambda: self._client.get_compatibility(subject))
        if not known:
            return SubjectState(latest=None, ours=None, compatibility=level)
        wanted = RegistrySchema(schema.text, "AVRO")
        latest = self._if_any(lambda: self._client.get_latest_version(subject))
        ours = self._if_any(lambda: self._client.lookup_schema(subject, wanted, normalize_schemas=True))
        return SubjectState(
            latest=latest.version if latest else None,
            ours=ours.version if ours else None,
            compatibility=level,
            readable=ours is not None
            or self._asked(lambda: self._client.test_compatibility_all_versions(subject, wanted)),
        )

    def set_compatibility(self, wanted: Iterable[SetCompatibility]) -> None:
        self._each(lambda change: self._client.set_compatibility(change.subject, change.after), wanted)

    def register(self, wanted: Iterable[RegisterSchema]) -> None:
        """Register schemas.

        Raises:
            UserMistake: the registry refuses one.
        """

        def register(change: RegisterSchema) -> object:
            return self._client.register_schema(
                change.subject, RegistrySchema(change.text, "AVRO"), normalize_schemas=True
            )

        self._each(register, wanted)

    def close(self) -> None:
        self._client.close()

    def _each(self, request: Callable[[_T], object], wanted: Iterable[_T]) -> None:
        """Several at once: the answers take the registry's time, not ours."""
        with ThreadPoolExecutor(_AT_ONCE) as several:
            list(several.map(lambda one: self._asked(lambda: request(one)), wanted))

    def _if_any(self, request: Callable[[], _T]) -> _T | None:
        """The answer; None when the registry says that there is none."""
        try:
            return self._asked(request)
        except _NotThere:
            return None

    def _asked(self, request: Callable[[], _T]) -> _T:
        try:
            return request()
        except SchemaRegistryError as error:
            raise self._explained(error) from error
        except Exception as error:  # its client lets any transport's error through
            raise Surroundings(f"no schema registry answers at {self._url} ({type(error).__name__})") from error

    def _explained(self, error: SchemaRegistryError) -> SafebusError:
        match error.http_status_code:
            case 404:
                return _NotThere(f"what answers at {self._url} is no schema registry; check SAFEBUS_REGISTRY_URL")
            case 401 | 403:
                return NotPermitted(f"the schema registry at {self._url} refused us ({error.http_status_code})")
            case 409 | 422:
                return UserMistake(f"the schema registry at {self._url} refused a schema: {error.error_message}")
            case status:
                return Surroundings(f"the schema registry at {self._url} answers {status}")


class _NotThere(UserMistake):
    """404. Of a subject or a version it is an answer; of anything else a wrong address."""
