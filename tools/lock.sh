#!/bin/sh
# Rewrite requirements/*.txt from pyproject.toml: pinned, hashed, for Python 3.11 to 3.13, naming no registry.
# All that shares .venv is compiled under the widest lock, so that no package moves when the set grows.
set -eu
cd "$(dirname "$0")/.."
uv=${UV:-uv}

compile() {
    name=$1
    shift
    "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --upgrade \
        --no-emit-index-url --no-emit-find-links --output-file "requirements/$name.txt" "$@" pyproject.toml
    echo "requirements/$name.txt: $(grep -c == "requirements/$name.txt") packages"
}

group() {
    name=$1
    "$uv" pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --upgrade \
        --no-emit-index-url --no-emit-find-links --output-file "requirements/$name.txt" --group "$name"
    echo "requirements/$name.txt: $(grep -c == "requirements/$name.txt") packages"
}

compile dev --extra local --extra objects --extra airflow --extra aws --extra postgres --extra pandas --extra ui --extra delta --extra iceberg --extra spark --group dev
compile local --extra local --extra ui --constraint requirements/dev.txt
compile base --constraint requirements/dev.txt
compile dbt --extra dbt
for name in docs bench emulators airflow build uv; do group "$name"; done

if grep -nE '://|^-|/[a-z]+/[a-z]+' requirements/*.txt; then
    echo "error: a lock file names an address or a path: see the lines above" >&2
    exit 1
fi
