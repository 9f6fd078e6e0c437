#!/bin/sh
# Make the environments of the other engines: environments.sh PYTHON FOLDER
# Each library is optional: one that does not install is said so here and again in the table.
set -u
python=$1
folder=$2
here=$(dirname "$0")

for name in peers older; do
    list=$here/requirements-$name.txt
    stamp=$folder/$name/.installed
    [ -f "$stamp" ] && [ "$stamp" -nt "$list" ] && continue
    "$python" -m venv "$folder/$name" || continue
    rm -f "$folder/$name/not-installed.txt"
    pip="$folder/$name/bin/python -m pip install --quiet --disable-pip-version-check"
    # The constraint keeps one library from moving another; each is installed by itself, so that one failure is one.
    grep -v '^#' "$list" | while read -r library; do
        $pip --constraint "$list" "$library" >"$folder/$name/pip.log" 2>&1 \
            || echo "$library: $(grep -i error "$folder/$name/pip.log" | tail -1)" >>"$folder/$name/not-installed.txt"
    done
    [ -f "$folder/$name/not-installed.txt" ] && sed 's/^/not installed: /' "$folder/$name/not-installed.txt" >&2
    touch "$stamp"
done
exit 0
