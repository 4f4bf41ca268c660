"""Why a worker process is gone: Ray's long answer in a line."""

from __future__ import annotations

import re

LONGEST = 200


def reason(text: str) -> str:
    """What a person wants to know of the error that Ray gives when a trial's process, or one of its workers', ends."""
    memory = re.search(r"Memory on the node.*? was ([\d.]+ ?GB / [\d.]+ ?GB)", text, re.DOTALL)
    if memory or "OutOfMemoryError" in text or "running low on memory" in text:
        return f"Ray ended it because its node ran short of memory{f' ({memory[1]})' if memory else ''}"
    where = re.findall(r"^\s*ip: (\S+)", text, re.MULTILINE)
    on = f" on {where[-1]}" if where else ""
    if re.search(r"node (has died|was terminated|is dead)|NodeDiedError|was preempted", text):
        return f"its node is gone{on.replace(' on ', ', ')}"
    process = re.findall(r"^\s*pid: (\d+)", text, re.MULTILINE)
    if process and re.search(r"worker process has died|Worker unexpectedly exits|The actor died", text):
        return f"process {process[-1]}{on} was killed or crashed, perhaps for want of memory"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:LONGEST] if lines else "Ray gives no reason"
