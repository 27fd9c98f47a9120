"""Says at the end of a test run how many tests passed, failed and were skipped."""

from __future__ import annotations

import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.robustness import count


def verdict(output: str) -> str:
    """The last line for a run of trial. output: what trial printed."""
    counts = {word: int(number) for word, number in re.findall(r"(\w+)=(\d+)", output[-400:])}
    failed = counts.get("failures", 0) + counts.get("errors", 0)
    passed = counts.get("successes", 0) + counts.get("expectedFailures", 0)
    return f"{passed} passed, {failed} failed, {counts.get('skips', 0)} skipped"


if __name__ == "__main__":
    text = Path(sys.argv[1]).read_text(errors="replace")
    print("".join(text.splitlines(keepends=True)[-4:]).strip())
    print(count())
    print(verdict(text))
