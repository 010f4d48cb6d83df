"""A real single-node Kafka and a real schema registry without a container engine, from jars on a Java from a wheel."""

from services.bus.secrets import secrets_for
from services.embedded.kafka import ADMIN, EmbeddedKafka
from services.embedded.registry import EmbeddedRegistry
from services.embedded.stack import EmbeddedStack, embedded_stack

__all__ = ["ADMIN", "EmbeddedKafka", "EmbeddedRegistry", "EmbeddedStack", "embedded_stack", "secrets_for"]
