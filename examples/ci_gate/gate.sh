#!/usr/bin/env bash
# Fails when NEW is worse than BASE: trains both suites and tests whether a drop of more than MAX_DROP points (default 1)
# can be ruled out.
#
#   gate.sh BASE.yaml NEW.yaml [options of bench run, such as --seeds 5 --jobs 2]
#
# Exit code: 0 not worse, 1 worse (or trials failed), 2 wrong input, 3 inconclusive: run more seeds, or allow a larger
# drop. What RESULTS (default results/) has of BASE is not trained again, so keep that folder between jobs.
set -euo pipefail
base=${1:?gate.sh BASE.yaml NEW.yaml}
new=${2:?gate.sh BASE.yaml NEW.yaml}
shift 2
results=${RESULTS:-results}

bench run "$base" "$@" --results "$results/base"
bench run "$new" "$@" --results "$results/new"
bench compare "$results/base" "$results/new" --max-drop "${MAX_DROP:-1}"
