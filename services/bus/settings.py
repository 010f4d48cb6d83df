"""Every setting, in one place. Each is read from the environment as `SAFEBUS_<NAME>`; `safebus config` prints them."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import Literal

from platformdirs import user_cache_path, user_data_path
from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from services.bus.errors import EXIT_MISTAKE

HERE = Path(__file__).resolve().parent.parent
ROOT = HERE.parent if (HERE.parent / "topics.yaml").exists() else HERE
"""Where topics.yaml and schemas/ stand: the checkout, or the installed package."""

WALL_TIME = "^([01][0-9]|2[0-3]):[0-5][0-9]$"


class Settings(BaseSettings):
    """All durations in seconds, all sizes in bytes."""

    model_config = SettingsConfigDict(env_prefix="SAFEBUS_", extra="ignore")

    # Where things are
    catalogue: Path = Field(ROOT / "topics.yaml", description="the catalogue of topics and principals")
    schemas: Path = Field(ROOT / "schemas", description="the folder of Avro schemas")
    data_dir: Path = Field(default_factory=lambda: user_data_path("safebus"), description="stores, secrets, logs")
    cache_dir: Path = Field(default_factory=lambda: user_cache_path("safebus"), description="downloads, schemas seen")
    secrets_file: Path | None = Field(None, description="passwords by principal; default DATA_DIR/secrets.json")
    claims_url: str | None = Field(None, description="fsspec URL of large documents; default DATA_DIR/claims")
    clock_file: Path | None = Field(None, description="a demo's clock; unset means the real clock")

    # Kafka and the registry
    bootstrap_servers: str = Field("127.0.0.1:19092", description="Kafka brokers, host:port, comma separated")
    security_protocol: Literal["SASL_PLAINTEXT", "SASL_SSL", "PLAINTEXT"] = "SASL_PLAINTEXT"
    ssl_cafile: Path | None = Field(None, description="PEM file of those who vouch for the brokers; with SASL_SSL")
    principal: str | None = Field(None, description="SCRAM user name; default the service's own name")
    password: SecretStr | None = Field(None, description="SCRAM password; default from the secrets file")
    registry_url: str = Field("http://127.0.0.1:19081/apis/ccompat/v7", description="Confluent-compatible registry")
    cluster_id: str | None = Field(None, description="`topics apply` refuses any other cluster")
    replication_factor: int | None = Field(None, description="overrides the catalogue's; the embedded broker has 1")
    operator_name: str | None = Field(
        None, description="who acts, as operators' acts are logged; default the account that signed in"
    )

    # The store
    store_url: str = Field(
        "sqlite:///{data_dir}/stores/{service}.db",
        description="SQLAlchemy URL; {data_dir} and {service} are filled in; postgresql+psycopg://… gives each "
        "service a schema of its own",
    )

    # The loop
    batch_size: int = Field(500, ge=1, description="events in one database transaction")
    poll_ms: int = Field(200, ge=1, description="longest wait for the first event of a batch, milliseconds")
    send_timeout: float = Field(30.0, gt=0, description="an acknowledgement later than this ends the process")
    stop_timeout: float = Field(10.0, gt=0, description="a stop takes no longer than this")
    commit_interval: float = Field(1.0, ge=0, description="Kafka's offsets follow the guard at most this often")
    topic_check_interval: float = Field(10.0, gt=0, description="topic ids are compared at least this often")
    session_timeout: float = Field(10.0, gt=0, description="Kafka's group session")
    keep_ids_days: float = Field(400.0, gt=0, description="consumed ids are kept so long; older events are too_old")
    max_event_bytes: int = Field(1_000_000, gt=0, description="an event's body may not be larger")

    # The partner gateway
    gateway_host: str = Field("127.0.0.1", description="where the partner gateway listens")
    gateway_port: int = Field(19443, description="its port; 0 means any free one")
    gateway_url: str | None = Field(None, description="its address as partners see it; default http://HOST:PORT")
    gateway_tls_cert: Path | None = Field(None, description="its certificate chain, PEM; without one it speaks HTTP")
    gateway_tls_key: Path | None = Field(None, description="the certificate's key, PEM")
    gateway_max_body: int = Field(2_000_000, gt=0, description="the largest request body, documents apart")
    gateway_max_document: int = Field(50_000_000, gt=0, description="the largest document")
    gateway_rate: float = Field(50.0, gt=0, description="requests a second of one organisation, on average")
    gateway_burst: int = Field(500, gt=0, description="requests of one organisation at once")
    gateway_streams: int = Field(20, gt=0, description="live streams that one organisation may have open at a process")
    gateway_session_minutes: float = Field(15.0, gt=0, description="a person's session ends after so long unused")
    gateway_session_hours: float = Field(10.0, gt=0, description="and after so long, however much it was used")
    gateway_page: int = Field(100, gt=0, le=1000, description="inbox entries on one page, unless asked otherwise")
    webhook_allow: str = Field("", description="hosts that webhooks may go to, comma separated; *.nhs.uk for a domain")
    webhook_days: float = Field(3.0, gt=0, description="a webhook that fails is tried for so long")
    webhook_overlap_hours: float = Field(
        24.0, ge=0, description="for so long a webhook's former secret signs beside the new one"
    )
    smtp_url: SecretStr | None = Field(
        None, description="the mail server, smtp://USER:PASSWORD@HOST:PORT or smtps://…; unset means no e-mail"
    )
    mail_from: str | None = Field(None, description="the address that e-mails come from")
    notice_minutes: float = Field(15.0, gt=0, description="a person is not e-mailed more often than this")
    oidc_issuer: str | None = Field(None, description="who signs people in, by OpenID Connect")
    oidc_client_id: str | None = Field(None, description="the gateway's name at the issuer")
    oidc_client_secret: SecretStr | None = Field(None, description="its secret there")
    oidc_acr: str = Field("", description="the authentication context that says a second factor was used")
    jwt_issuer: str | None = Field(None, description="who issues access tokens to partners' systems")
    jwt_audience: str = Field("safebus", description="whom those tokens must be for")
    jwks_url: str | None = Field(None, description="where that issuer's public keys are")
    jwt_token_url: str | None = Field(None, description="where partners' systems get those tokens; for /docs")

    # The handover board
    board_host: str = Field("127.0.0.1", description="where the handover board listens")
    board_port: int = Field(19444, description="its port; 0 means any free one")
    board_url: str | None = Field(None, description="its address as people see it; default http://HOST:PORT")
    board_tls_cert: Path | None = Field(None, description="its certificate chain, PEM; without one it speaks HTTP")
    board_tls_key: Path | None = Field(None, description="the certificate's key, PEM")
    board_rate: float = Field(100.0, gt=0, description="requests a second from one address or key, on average")
    board_burst: int = Field(1000, gt=0, description="requests from one address or key at once")
    board_streams: int = Field(20, gt=0, description="live streams that one person or key may have open at a process")
    board_oidc_client_id: str | None = Field(None, description="the board's name at the issuer; default the gateway's")
    board_oidc_client_secret: SecretStr | None = Field(None, description="its secret there; default the gateway's")
    board_session_minutes: float = Field(20.0, gt=0, description="a session there is locked after so long unused")
    board_session_hours: float = Field(
        16.0, gt=0, description="and ends after so long, a whole night, unless its person holds a matter"
    )
    board_order: str = Field(
        "danger, grading, young, missing, repeat, deadline",
        description="what makes a matter stand above others on the board, the weightiest first",
    )
    board_day_from: str = Field("08:30", pattern=WALL_TIME, description="when the day teams begin on a working day")
    board_night_from: str = Field(
        "17:00", pattern=WALL_TIME, validate_default=True, description="when the out-of-hours team begins then"
    )
    board_take_within_minutes: float = Field(
        10.0, ge=1, description="immediate danger that nobody has taken for so long goes to the on-call manager"
    )
    board_deaf_minutes: float = Field(
        5.0, gt=0, description="a board that has heard nothing of the bus for so long says so to the on-call manager"
    )
    board_page_url: str | None = Field(
        None, description="where the on-call manager is paged, https://…; unset means that nobody is"
    )
    board_page_secret: SecretStr | None = Field(
        None, description="what pages are signed with, whsec_… as Standard Webhooks has it; unset means unsigned"
    )

    # The performance pages
    performance_host: str = Field("127.0.0.1", description="where the performance pages listen")
    performance_port: int = Field(19445, description="their port; 0 means any free one")
    performance_url: str | None = Field(None, description="their address as people see it; default http://HOST:PORT")
    performance_tls_cert: Path | None = Field(None, description="their certificate chain, PEM; without one HTTP")
    performance_tls_key: Path | None = Field(None, description="the certificate's key, PEM")
    performance_oidc_client_id: str | None = Field(None, description="their name at the issuer; default the gateway's")
    performance_oidc_client_secret: SecretStr | None = Field(
        None, description="its secret there; default the gateway's"
    )
    performance_session_minutes: float = Field(30.0, gt=0, description="a session there ends after so long unused")
    performance_session_hours: float = Field(10.0, gt=0, description="and after so long, however much it was used")
    performance_rate: float = Field(20.0, gt=0, description="requests a second from one address, on average")
    performance_burst: int = Field(200, gt=0, description="requests from one address at once")

    # Lag
    lag_interval: float = Field(2.0, gt=0, le=4, description="seconds between two looks at how far each group has read")
    lag_recipients_url: str | None = Field(
        None,
        description="where the partner gateway shows its inboxes to operators, http://HOST:PORT; default the one that "
        "runs in DATA_DIR",
    )
    lag_alert_url: str | None = Field(
        None, description="where a group's trouble and its end are told, https://…; unset means by no webhook"
    )
    lag_alert_secret: SecretStr | None = Field(
        None, description="what those are signed with, whsec_… as Standard Webhooks has it; unset means unsigned"
    )
    lag_alert_mail: str | None = Field(
        None, description="the address that a group's trouble and its end are e-mailed to; unset means to nobody"
    )
    lag_alert_after: float = Field(
        15.0, ge=0, description="a trouble that is over within so many seconds is told to nobody"
    )

    # The operators' page
    ops_host: str = Field("127.0.0.1", description="where the operators' page listens; it asks nobody who they are")
    ops_port: int = Field(19446, description="its port; 0 means any free one")
    ops_targets: str = Field(
        "", description="what it watches, NAME=http://HOST:PORT, comma separated; empty: what runs in DATA_DIR"
    )
    probe_interval: float = Field(60.0, ge=0, description="seconds between two end-to-end probes; 0 means none")
    probe_door_url: str | None = Field(
        None,
        description="the partner gateway's address, where each probe knocks too; default what the one that runs in "
        "DATA_DIR says that partners use",
    )

    # What a process shows
    http_host: str = Field("127.0.0.1", description="where /livez, /readyz and /metrics listen")
    http_port: int = Field(0, description="/livez, /readyz and /metrics; 0 means any free port")
    otlp_endpoint: str | None = Field(
        None, description="a collector of OpenTelemetry, http://HOST:4318; unset means that nothing is traced"
    )
    otlp_sample: float = Field(1.0, ge=0, le=1, description="the part of traces beginning here that is kept, 0 to 1")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    log_format: Literal["json", "console"] = "json"

    @field_validator("board_night_from")
    @classmethod
    def _after_the_day_begins(cls, night_from: str, info: ValidationInfo) -> str:
        day_from = info.data.get("board_day_from", "")  # it is not there if it is no time itself
        if night_from <= day_from:
            raise PydanticCustomError(
                "order",
                "The night begins at {night_from}, which must be after the day (SAFEBUS_BOARD_DAY_FROM), {day_from}",
                {"night_from": night_from, "day_from": day_from},
            )
        return night_from

    @property
    def secrets_path(self) -> Path:
        return self.secrets_file or self.data_dir / "secrets.json"

    @property
    def claims(self) -> str:
        return self.claims_url or f"file://{self.data_dir}/claims"

    def store_for(self, service: str) -> str:
        """The SQLAlchemy URL of one service's store."""
        return self.store_url.format(data_dir=self.data_dir, service=service)


@cache
def settings() -> Settings:
    """The process's settings, read once."""
    return Settings()


def settings_or_end() -> Settings:
    """The same, for a process that can do nothing without them: what is wrong ends it, with one sentence for each."""
    try:
        return settings()
    except ValidationError as error:
        print(wrong_settings(error), file=sys.stderr)  # noqa: T201 - there is no log without settings
        sys.exit(EXIT_MISTAKE)


def wrong_settings(error: ValidationError) -> str:
    """A sentence for each setting that is wrong, without what it was set to: that may be a secret."""
    faults = error.errors(include_input=False, include_url=False)
    said = ((str(fault["loc"][0]).upper(), fault["msg"]) for fault in faults)
    return "\n".join(f"SAFEBUS_{name}: {words[0].lower()}{words[1:]}" for name, words in said)
