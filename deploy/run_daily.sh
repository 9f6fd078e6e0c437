#!/usr/bin/env bash
# The daily job for cron and systemd: finds its own folder and Python, whatever the environment and the directory are.
# Options are those of 'run.py daily'; the exit code is its own.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
python="$here/.venv/bin/python"
if [[ ! -x "$python" ]]; then
  python="$(command -v python3 || true)"
fi
if [[ -z "$python" ]]; then
  echo "error: neither $here/.venv/bin/python nor python3 is there; run 'make backtest' in $here first" >&2
  exit 2
fi
exec "$python" "$here/run.py" daily "$@"
