"""schemas/ → the pydantic models of services/bus/events.py, by datamodel-code-generator.

Imported by `make events` and its check only: the generator is a tool of developers and not installed with a service.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import textwrap
from pathlib import Path

from datamodel_code_generator import DataModelType, InputFileType, PythonVersion
from datamodel_code_generator import generate as generate_models

from services.bus.contract.schemas import TOPIC, read

HEADER = '"""Every event, and what events share. GENERATED from schemas/ by `make events`: never edit by hand."""\n'
DOC = re.compile(r'^( *)"""\n(.*?)\n *"""$', re.MULTILINE | re.DOTALL)
EVENT = re.compile(r'^class (\w+)\(Event\):\n    """.*?"""\n', re.MULTILINE | re.DOTALL)
WIDTH = 120


def models(folder: Path) -> str:
    """The text of events.py for the schemas in `folder`; the same schemas give the same text.

    Raises:
        CatalogueInvalid: a schema cannot be read.
    """
    bodies = [body for _, body in read(folder).values()]
    topics = {body["name"]: body[TOPIC] for body in bodies if TOPIC in body}
    # No extra_fields here: Model forbids them for all, and the generator would repeat it in each class.
    generated = generate_models(
        json.dumps(bodies),
        input_file_type=InputFileType.Avro,
        output_model_type=DataModelType.PydanticV2BaseModel,
        target_python_version=PythonVersion.PY_311,
        strict_nullable=True,
        set_default_enum_member=True,
        disable_timestamp=True,
        base_class="services.bus.envelope.Model",
        base_class_map=dict.fromkeys(topics, "services.bus.envelope.Event"),
        use_schema_description=True,
        use_field_description=True,
        use_inline_field_description=True,
        use_specialized_enum=True,
        use_standard_collections=True,
        use_union_operator=True,
        capitalise_enum_members=True,
        skip_root_model=True,
        custom_file_header=HEADER,
        formatters=[],
    )
    text = str(generated).replace("from pydantic import", "from typing import ClassVar\nfrom pydantic import", 1)
    text = DOC.sub(_docstring, text)
    text = EVENT.sub(lambda found: f'{found[0]}\n    topic: ClassVar[str] = "{topics[found[1]]}"\n\n', text)
    return _formatted(text + _table(topics))


def _docstring(found: re.Match[str]) -> str:
    """One line where it fits, else wrapped, the closing quotes on a line of their own."""
    indent, doc = found.groups()
    text = " ".join(doc.split())
    if len(indent) + len(text) + 6 <= WIDTH:
        return f'{indent}"""{text}"""'
    return textwrap.indent("\n".join([*textwrap.wrap(f'"""{text}', WIDTH - len(indent)), '"""']), indent)


def _table(topics: dict[str, str]) -> str:
    rows = "".join(f'"{topic}": {name},' for name, topic in topics.items())
    return f'\n\nBY_TOPIC: dict[str, type[Event]] = {{{rows}}}\n"""The one event type of each topic."""\n'


def _formatted(text: str) -> str:
    for command in (["check", "--select=I", "--fix", "--quiet"], ["format", "--quiet"]):
        style = ["--isolated", f"--line-length={WIDTH}", "--target-version=py311", "-"]
        ruff = [sys.executable, "-m", "ruff", *command, *style]
        text = subprocess.run(ruff, input=text, capture_output=True, text=True, check=True).stdout  # noqa: S603
    return text
