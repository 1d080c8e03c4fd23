#!/bin/sh
# The demo on Airflow: plan, apply, a run that is watched from here, a second apply that changes nothing, destroy.
# It works in a copy of the example, below demo/, with an Airflow of its own on loopback. Called by `make demo-airflow`.
set -eu
cd "$(dirname "$0")/.."
here=$PWD
if [ "${1:-}" != inside ]; then
    rm -rf demo/airflow
    mkdir -p demo/airflow
    cp -R examples/flights demo/airflow/flights
    exec .venv/bin/python tools/airflow.py demo/airflow/home demo/airflow/dags -- sh tools/demo_airflow.sh inside
fi
PATH=$here/.venv/bin:$PATH
cd demo/airflow/flights
rm -rf .anabranch data/cleaned data/final data/_anabranch data/_branches
cat >>anabranch.yaml <<EOF
environments:
  airflow:
    airflow: {dags: ../dags, url: "$AIRFLOW_URL", python: "$here/.venv/bin/python"}
EOF
say() { printf '\n$ anabranch %s\n' "$*"; anabranch "$@"; }
say plan -e airflow
say apply -e airflow --yes
say run daily -e airflow
say runs show last -e airflow
say apply -e airflow --yes
printf '\nThe DAG file that Airflow reads: %s\n' "$(cd .. && pwd)/dags/flights/flights.daily.py"
cp ../dags/flights/flights.daily.py ../flights.daily.py
say destroy -e airflow --yes
printf '\nA copy of the DAG file is kept: %s\n' "$(cd .. && pwd)/flights.daily.py"
