"""A program as small as a service can be for a supervisor: `fake_service.py NAME HOW`, with SAFEBUS_DATA_DIR.

HOW is `ready`; `waiting`, `stuck`, `silent` (never answers) or `stubborn` (does not end on SIGTERM); `exits:CODE` with
a reason in its log; or `raises`.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

SECRET = "a name that an error's text holds"
ANSWERS = {
    "ready": {"/readyz": (200, "ready"), "/livez": (200, "alive")},
    "waiting": {"/readyz": (503, "the broker is away"), "/livez": (200, "alive")},
    "stuck": {"/readyz": (503, "ready"), "/livez": (503, "the loop has stopped turning")},
}


def main(name: str, how: str) -> None:
    if how == "raises":
        raise ValueError(SECRET)
    if how.startswith("exits:"):
        print(json.dumps({"event": "ended", "reason": "the database belongs to another cluster"}), flush=True)
        sys.exit(int(how.removeprefix("exits:")))
    signal.signal(signal.SIGTERM, signal.SIG_IGN if how == "stubborn" else signal.SIG_DFL)
    answers = ANSWERS.get(how, ANSWERS["ready"])

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if how == "silent":
                time.sleep(600)
            code, words = answers[self.path]
            self.send_response(code)
            self.end_headers()
            self.wfile.write(f"{words}\n".encode())

        def log_message(self, *_: object) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Page)
    told = Path(os.environ["SAFEBUS_DATA_DIR"], "run", f"{name}.json")
    half = told.with_suffix(".half")
    half.write_text(json.dumps({"pid": os.getpid(), "port": server.server_port}))
    half.replace(told)
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
