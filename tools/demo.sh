#!/bin/sh
# The demo: one pipeline over real flights, from raw files to final tables; then a branch that mends one line, and what
# that does to the data. It works in a copy of the example, below demo/. Called by `make demo`.
set -eu
cd "$(dirname "$0")/.."
anabranch=$PWD/.venv/bin/anabranch
rm -rf demo/flights
mkdir -p demo
cp -R examples/flights demo/flights
cd demo/flights
rm -rf .anabranch data/cleaned data/final data/_anabranch data/_branches

"$anabranch" run daily

cat <<'EOF'

Fog is sight below one kilometre, and the code says below one mile. On a branch, that one line is mended:
EOF
sed -i.before 's/visib < 1 AS foggy/visib < 0.62 AS foggy/' flights.py
rm -f flights.py.before
"$anabranch" branch create fog
"$anabranch" branch run fog
echo
"$anabranch" branch deltas fog --html deltas.html

cat <<EOF

Main's data is as it was. Open the report:  $PWD/deltas.html
Where to look next:
  cd demo/flights && . ../../.venv/bin/activate
  anabranch ui --open                all of this as pages, at http://127.0.0.1:8765/
  anabranch branch show fog          why these steps ran, what they read, how the code differs
  anabranch branch promote fog       main takes the branch's outputs, without a rerun
  anabranch branch drop fog          or nothing of it is left
  anabranch graph daily              the steps, and what flows between them
  anabranch runs show last           what each step read, wrote and took
EOF
