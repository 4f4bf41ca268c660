"""Checks the report of the quick suite: what must have run, how good it must be, and that the page is whole."""

import html
import json
import re
import sys
from pathlib import Path

report = json.loads(Path(sys.argv[1]).read_text())
page = Path(sys.argv[2]).read_text()
rows = [row for comparison in report["comparisons"] for row in comparison["leaderboard"] if row["kind"] == "trained"]
best = max(row["test_mean"] for row in rows)
selected = [row for row in rows if row["selected"]]
problems = []
if len(rows) != 6 or any(row["status"] != "complete" or row["seeds"] != 3 for row in rows):
    problems.append(
        f"6 complete configurations of 3 seeds expected, found {[(row['label'], row['status']) for row in rows]}"
    )
if best < 0.88:
    problems.append(f"the best test accuracy is {best:.4f}, below .88")
if len(selected) != 1 or selected[0]["validation_mean"] != max(row["validation_mean"] for row in rows):
    problems.append("the selected configuration is not that of the highest validation accuracy")
if not any(row["in_best_set"] for row in rows) or all(row["in_best_set"] for row in rows):
    problems.append("three seeds tell some configurations from the best, and the best set has one at least")
if not any(published for comparison in report["comparisons"] for published in comparison["findings"]["published"]):
    problems.append("no published result is named")
# As it is read: the parts of a label are elements of their own.
text = " ".join(html.unescape(re.sub("<[^>]*>", "", page)).split())
lacking = [row["label"] for row in rows if row["label"] not in text]
if lacking:
    problems.append(f"missing from the page: {lacking}")
# Elements and styles that load something, scripts left out: those run only where the policy has their hash.
markup = re.sub(r"<script\b.*?</script>", "", page, flags=re.DOTALL)
loads = re.findall(r"<(?:link|img|iframe|object|embed|source|video|audio|base)\b[^>]*", markup)
outside = [load for load in loads if not re.search(r'(?:href|src)="data:', load)]
outside += re.findall(r"@import[^;]*|url\((?![\"']?(?:data:|#))[^)]*", markup)
outside += re.findall(r"<script[^>]*\bsrc=[^>]*", page)
if outside or "default-src 'none'" not in html.unescape(page):
    problems.append(f"the page asks for something outside itself: {outside[:3]}")
print(f"quick suite: {len(rows)} configurations, best test {100 * best:.2f} %, selected {selected[0]['label']}")
sys.exit("\n".join(problems) or 0)
