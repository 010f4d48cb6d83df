"""The embedded Kafka admits nobody by default, as production does (DESIGN.md §5)."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from services.embedded.kafka import QUIET
from tests.embedded.broker import Broker

SECONDS = 3.0
METADATA_REQUEST = bytes.fromhex("0000000e 0003 0001 00000001 ffff ffffffff")
"""Length, api 3 (metadata), version 1, correlation id 1, no client id, all topics."""


def test_an_unknown_password_is_refused(kafka: Broker) -> None:
    """Neither the admin with a wrong password nor a user that was never made gets in."""
    for stranger in ({"sasl.password": "wrong"}, {"sasl.username": "nobody"}):
        assert KafkaError._AUTHENTICATION in errors_of(kafka.confluent() | stranger)
    assert errors_of(kafka.confluent()) == set()


def test_who_does_not_sign_in_is_refused(kafka: Broker) -> None:
    """There is no anonymous access, and no mechanism that would send the password in the clear."""
    assert errors_of(kafka.confluent() | {"security.protocol": "PLAINTEXT"})
    assert KafkaError._AUTHENTICATION in errors_of(kafka.confluent() | {"sasl.mechanism": "PLAIN"})


def test_a_principal_may_do_only_what_it_was_given(kafka: Broker) -> None:
    """A known user without rights neither writes, nor makes a topic, nor learns that one exists."""
    topic, principal = kafka.topic(), kafka.user()
    assert delivery_of(kafka.confluent(principal), topic) == KafkaError.TOPIC_AUTHORIZATION_FAILED

    admin = AdminClient(kafka.confluent(principal), logger=QUIET)
    assert topic not in admin.list_topics(timeout=SECONDS).topics
    with pytest.raises(KafkaException) as refused:
        admin.create_topics([NewTopic("test.of-its-own.v1", 1, 1)])["test.of-its-own.v1"].result(SECONDS)
    assert refused.value.args[0].code() == KafkaError.TOPIC_AUTHORIZATION_FAILED

    kafka.allow(principal, write=[topic])
    assert delivery_of(kafka.confluent(principal), topic) is None


def test_a_topic_is_never_made_by_a_misspelling(kafka: Broker) -> None:
    """Writing to a topic that does not exist fails, for the admin too, and none appears."""
    assert delivery_of(kafka.confluent(), "test.misspelt.v1") == KafkaError.UNKNOWN_TOPIC_OR_PART
    assert "test.misspelt.v1" not in kafka.admin.list_topics(timeout=SECONDS).topics


def test_the_controllers_door_is_not_open(embedded_kafka: Broker) -> None:
    """The controller's listener takes neither strangers nor the admin's own password, only one made for each start."""
    server = embedded_kafka.server
    assert server is not None
    lines = (server.home / "server.properties").read_text().splitlines()
    properties = dict(line.split("=", 1) for line in lines)
    address = properties["controller.quorum.voters"].removeprefix("1@")
    own = properties["listener.name.controller.plain.sasl.jaas.config"].split('password="')[1].split('"')[0]
    assert own != server.admin_password

    host, port = address.split(":")
    with socket.create_connection((host, int(port)), SECONDS) as stranger:
        stranger.sendall(METADATA_REQUEST)
        assert stranger.recv(1) == b""  # it hangs up on whoever does not sign in first
    door = embedded_kafka.confluent() | {"bootstrap.servers": address}
    assert KafkaError._AUTHENTICATION in errors_of(door)
    assert KafkaError._AUTHENTICATION in errors_of(door | {"sasl.mechanism": "PLAIN"})
    assert KafkaError._AUTHENTICATION not in errors_of(door | {"sasl.mechanism": "PLAIN", "sasl.password": own})


def errors_of(configuration: dict[str, Any]) -> set[int]:
    """Codes of what a client met that tried to ask for the cluster; empty if it was answered."""
    met: list[KafkaError] = []
    admin = AdminClient(configuration | {"error_cb": met.append}, logger=QUIET)
    answer = admin.describe_cluster(request_timeout=SECONDS)
    while not answer.done() and not met:
        admin.poll(0.05)
    if answer.done() and isinstance(failed := answer.exception(), KafkaException):
        met.append(failed.args[0])
    return {error.code() for error in met}


def delivery_of(configuration: dict[str, Any], topic: str) -> int | None:
    """The code of the error with which one event was refused; None if it was acknowledged."""
    codes: list[int | None] = []
    producer = Producer(configuration | {"topic.metadata.propagation.max.ms": 200}, logger=QUIET)
    producer.produce(topic, b"x", on_delivery=lambda error, _record: codes.append(error and error.code()))
    producer.flush(SECONDS * 2)
    return codes[0]
