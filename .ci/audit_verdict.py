"""Judge what pip-audit answered: it ends with 1 for a vulnerability and for no network alike.

python .ci/audit_verdict.py STATUS FOUND.json SAID.txt
"""

import json
import sys
from pathlib import Path
from typing import Any

_TOO_LATE = 124  # of timeout
_UNREACHABLE = (
    *("ConnectionError", "ConnectTimeout", "ServiceError", "ProxyError", "Max retries"),
    *("Connection refused", "Name or service not known", "resolve", "timed out", "SSLError"),
)


def verdict(status: int, found: dict[str, Any] | None, said: str) -> tuple[int, list[str]]:
    """The exit status of the step, and what it says."""
    if found is None:
        last = (said.strip().splitlines() or ["it did not answer"])[-1][:200]
        if status == _TOO_LATE or any(word in said for word in _UNREACHABLE):
            return 0, [f"skipped: the service of advisories cannot be reached ({last})"]
        return status or 1, [said]
    packages = found["dependencies"]
    unknown = [each["name"] for each in packages if "skip_reason" in each]
    if len(unknown) == len(packages):
        return 0, [f"skipped: the service of advisories knows none of the {len(packages)} packages"]
    lines = [
        f"{each['name']} {each['version']}: {one['id']}, "
        f"fixed in {', '.join(one['fix_versions']) or 'no version yet'}"
        for each in packages
        for one in each.get("vulns") or ()
    ]
    bad = sum(bool(each.get("vulns")) for each in packages)
    rest = f"; not known to the service: {', '.join(unknown)}" if unknown else ""
    return int(bad > 0), [*lines, f"{len(packages)} packages, {bad} with vulnerabilities{rest}"]


def main(arguments: list[str]) -> int:
    """Print the verdict; return the exit status."""
    found = Path(arguments[1])
    content = found.read_bytes() if found.is_file() else b""
    said = Path(arguments[2]).read_text(encoding="utf-8", errors="replace")
    status, lines = verdict(int(arguments[0]), json.loads(content) if content else None, said)
    sys.stdout.write("\n".join(lines) + "\n")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
