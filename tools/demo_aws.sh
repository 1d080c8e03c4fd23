#!/bin/sh
# The demo on AWS: plan, apply, a run that is watched from here, a branch with one mended line and what it changes,
# and destroy. It works in a copy of the example, below demo/, with an emulator of AWS on loopback that really runs the
# functions and enforces their rights. Called by `make demo-aws`.
set -eu
cd "$(dirname "$0")/.."
here=$PWD
if [ "${1:-}" != inside ]; then
    rm -rf demo/aws
    mkdir -p demo/aws
    cp -R examples/flights demo/aws/flights
    exec .venv/bin/python tools/aws.py demo/aws/emulator -- sh tools/demo_aws.sh inside
fi
PATH=$here/.venv/bin:$PATH
cd demo/aws/flights
rm -rf .anabranch data/cleaned data/final data/_anabranch data/_branches
python=$(python -c 'import sys; print(f"python3.{sys.version_info.minor}")')
cat >>anabranch.yaml <<EOF
environments:
  aws:
    aws: {account: "000000000000", region: us-east-1, runtime: $python}
    storage: s3://lake/flights
    artifacts: s3://artifacts
EOF
python - <<EOF
from pathlib import Path
from anabranch.data.objects.store import objects
for path in Path("data/raw").iterdir():
    objects("s3://lake/flights").put(f"raw/{path.name}", path)
EOF
say() { printf '\n$ anabranch %s\n' "$*"; anabranch "$@"; }
say check -e aws
say apply -e aws --yes
say run daily -e aws
printf '\nFog is sight below one kilometre, and the code says below one mile. On a branch, that one line is mended:\n'
sed -i 's/visib < 1 AS foggy/visib < 0.62 AS foggy/' flights.py
say branch create fog -e aws
say branch run fog -e aws
say branch deltas fog -e aws
say branch drop fog -e aws --yes
say destroy -e aws --yes
