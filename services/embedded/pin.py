"""Writes artifacts.lock anew: `python -m services.embedded.pin`, after changing a version here.

What anyone downloads is compared with these checksums, so review the lock's difference as you would review code.
"""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from jgo.maven import MavenContext

from services.embedded.artifacts import LOCK, sha256_of

KAFKA = "org.apache.kafka:kafka_2.13:4.4.0"
# Taken as single files. Resolved beside Kafka, one's managed versions would replace those of Kafka's own libraries.
SINGLE = (
    # Kafka brings log4j-core and writes to slf4j 1.7; this joins the two.
    ("org.apache.logging.log4j", "log4j-slf4j-impl", "2.25.5", "", "jar"),
    ("io.apicurio", "apicurio-registry-app", "3.3.3", "all", "tar.gz"),
)


def main() -> None:
    """Resolve Kafka with everything it needs at run time, fetch it all into a fresh folder and pin what came."""
    with tempfile.TemporaryDirectory() as folder:
        context = MavenContext(repo_cache=Path(folder), timeout=60)
        direct, transitive = context.resolver.resolve([context.create_dependency(KAFKA)])
        artifacts = [dependency.artifact for dependency in direct + transitive]
        for group, artifact, version, classifier, extension in SINGLE:
            artifacts.append(context.project(group, artifact).at_version(version).artifact(classifier, extension))
        with ThreadPoolExecutor(6) as pool:
            files = list(pool.map(lambda artifact: artifact.resolve(), artifacts))
        found = {coordinates(*artifact.key): file for artifact, file in zip(artifacts, files, strict=True)}
        lines = [f"{sha256_of(found[name])} {found[name].stat().st_size} {name}\n" for name in sorted(found)]
    LOCK.write_text("".join(lines), encoding="utf-8")


def coordinates(group: str, artifact: str, version: str, classifier: str, extension: str) -> str:
    """`group:artifact:version`, with `:classifier:extension` where it is not a plain jar."""
    plain = f"{group}:{artifact}:{version}"
    return plain if (classifier, extension) == ("", "jar") else f"{plain}:{classifier}:{extension}"


if __name__ == "__main__":
    main()
