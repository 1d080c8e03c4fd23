#!/bin/sh
# The demo: one pipeline over real flights, from raw files to final tables. Called by `make demo`.
set -eu
cd "$(dirname "$0")/../examples/flights"
anabranch=../../.venv/bin/anabranch

"$anabranch" run daily

echo
echo "What was made, below examples/flights/data/final:"
find data/final -type f -exec du -h {} + | sort -k 2 | sed 's/^/  /'
cat <<'EOF'

Where to look next:
  cd examples/flights && . ../../.venv/bin/activate
  anabranch graph daily        the steps, and what flows between them
  anabranch datasets list      every dataset, and where it lies
  anabranch runs show last     what each step of this run read, wrote and took
  anabranch run daily          the same again: change a step in between, and see
EOF
